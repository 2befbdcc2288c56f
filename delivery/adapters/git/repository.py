"""A branch of a git repository: read at a commit, and written by a push that expects the commit that was read.

Through the `git` program: it has every way to prove who one is, of every host, and pushes several refs with an expected
head each, all or none. Nothing is checked out: commits are made in a bare repository beside the worker, which holds no
truth and may be deleted.
"""

import tempfile
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from delivery.adapters.git.copy import Copy
from delivery.adapters.git.program import MOVED, Author, Failed, Git, Login
from delivery.ports.errors import Conflict, PortError, Refused, Unavailable

_READ = "refs/read"
_CLAIMS = "refs/delivery/"
_NOTHING = "0" * 40
_REFUSED: Final = ("[remote rejected]", "pre-receive hook declined", "protected branch", "GH006", "not allowed to push")


@dataclass(frozen=True, slots=True)
class Read:
    """What was there at one moment. `head` is the branch's commit. `claims` has, by name, the object of each note of
    ours and its text: they are refs of their own, below refs/delivery, and no part of the branch."""

    head: str
    claims: Mapping[str, tuple[str, str]]

    def claim(self, name: str) -> str:
        """The text of a note; nothing where there is none."""
        return self.claims.get(name, ("", ""))[1]


class Repository:
    """`directory` is where the bare repository is kept. Every call is bounded in time."""

    def __init__(self, url: str, branch: str, directory: Path, login: Login, author: Author) -> None:
        self.url = url
        self.branch = branch
        self._directory = directory
        self._copy = Copy(directory)
        self._program = Git(str(self), url, login, author)
        self._lock = threading.Lock()

    def look(self) -> Read:
        """What is there now. Raises Unavailable, and Refused where it may not be read."""
        with self._lock:
            if not self._copy.is_there:
                self._begin()
            self._fetch()
            head = self._git("rev-parse", "--verify", f"{_READ}^{{commit}}").decode().strip()
            listed = self._git("for-each-ref", "--format=%(refname)%00%(objectname)%00%(contents)%00", _CLAIMS)
        parts = [part.strip() for part in listed.decode(errors="replace").split("\0")]
        notes = zip(parts[0:-1:3], parts[1::3], parts[2::3], strict=True)
        return Read(head, {name.removeprefix(_CLAIMS): (one, text) for name, one, text in notes})

    def _begin(self) -> None:
        try:
            self._copy.begin()
        except OSError as error:
            told = f"no copy of {self} can be kept in {self._directory}: {error.strerror}"
            raise Unavailable(told) from error
        self._git("init", "--quiet", "--bare", str(self._copy.path))

    def _fetch(self) -> None:
        refs = (f"+refs/heads/{self.branch}:{_READ}", f"+{_CLAIMS}*:{_CLAIMS}*")
        try:
            self._git("fetch", "--quiet", "--no-tags", "--prune", "--depth=1", "--", self.url, *refs)
        except PortError:
            self._copy.tidy()
            raise

    def read(self, commit: str, path: str) -> bytes:
        """A file. Raises Refused where there is none."""
        try:
            return self._git("cat-file", "blob", f"{commit}:{path}")
        except Refused as error:
            raise Refused(f"{self} has no file {path} at {commit[:12]}") from error

    def files(self, commit: str, folder: str) -> Mapping[str, str]:
        """The files below a folder, each with the hash of what is in it."""
        listed = self._git("ls-tree", "-r", "-z", commit, *(("--", f"{folder}/") if folder else ()))
        rows = [row.split(None, 2) for row in listed.decode(errors="surrogateescape").split("\0") if row]
        pairs = [rest.split("\t", 1) for _, kind, rest in rows if kind == "blob"]
        return {path: blob for blob, path in pairs}

    def contents(self, blobs: Collection[str]) -> Mapping[str, bytes]:
        """What is in files, by the hashes of that: all of them by one program."""
        told = self._git("cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs).encode())
        found: dict[str, bytes] = {}
        at = 0
        for blob in blobs:
            end = told.index(b"\n", at) + 1
            kind, size = told[at:end].split()[1:3]
            if kind != b"blob":
                raise Failed(f"{self}: {told[at:end].decode().strip()}")
            found[blob] = told[end : end + int(size)]
            at = end + int(size) + 1
        return found

    def write(
        self, read: Read, files: Mapping[str, bytes | None], message: str, claim: tuple[str, str] | None = None
    ) -> Read:
        """Pushes a commit with these files (None: without it) on top of what was read, and the note `claim` (name and
        text), both or none; without files the note alone. What is there then.

        Raises Conflict where the branch or the note are no longer what was read, Refused where the host does not let
        us, Unavailable where it is not known whether it was done.
        """
        head = self._commit(read.head, files, message) if files else read.head
        updates = [(f"refs/heads/{self.branch}", head, read.head)] if files else []
        claims = dict(read.claims)
        if claim is not None:
            name, text = claim
            empty = self._git("hash-object", "-t", "tree", "-w", "--stdin").decode().strip()
            note = self._git("commit-tree", empty, "-F", "-", given=text.encode()).decode().strip()
            updates.append((f"{_CLAIMS}{name}", note, claims.get(name, ("", ""))[0]))
            claims[name] = (note, text)
        self._push(updates)
        return Read(head, claims)

    def __str__(self) -> str:
        return f"{_without_login(self.url)} ({self.branch})"

    def _commit(self, parent: str, files: Mapping[str, bytes | None], message: str) -> str:
        """Nobody sees it until it is pushed."""
        with self._scratch() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", parent, more=index)
            for path, content in files.items():
                if content is None:
                    gone = f"0 {_NOTHING}\t{path}\n".encode()  # --remove would look into a work tree
                    self._git("update-index", "--index-info", given=gone, more=index)
                    continue
                blob = self._git("hash-object", "-w", "--stdin", given=content).decode().strip()
                cached = f"{self._mode(parent, path)},{blob},{path}"
                self._git("update-index", "--add", "--cacheinfo", cached, more=index)
            tree = self._git("write-tree", more=index).decode().strip()
        return self._git("commit-tree", tree, "-p", parent, "-F", "-", given=message.encode()).decode().strip()

    def _scratch(self) -> "tempfile.TemporaryDirectory[str]":
        try:
            return tempfile.TemporaryDirectory(dir=self._copy.path)
        except OSError as error:
            raise Unavailable(f"no commit for {self} can be made in {self._copy.path}: {error.strerror}") from error

    def _push(self, updates: Sequence[tuple[str, str, str]]) -> None:
        leases = [f"--force-with-lease={ref}:{expect}" for ref, _, expect in updates]
        refs = [f"{commit}:{ref}" for ref, commit, _ in updates]
        try:
            self._git("push", "--porcelain", "--no-verify", "--atomic", *leases, "--", self.url, *refs)
        except Failed as error:
            if any(word in str(error) for word in MOVED):
                raise Conflict(f"somebody else pushed to {self} in between") from error
            if any(word in str(error) for word in _REFUSED):
                raise Refused(f"{self} does not take the commit: {error}") from error
            raise

    def _mode(self, parent: str, path: str) -> str:
        found = self._git("ls-tree", parent, "--", path).decode()
        return found.partition(" ")[0] or "100644"

    def _git(self, *arguments: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
        return self._program(self._copy.path, *arguments, given=given, more=more)


def _without_login(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url
