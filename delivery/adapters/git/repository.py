"""A branch of a git repository: read at a commit, and written by a push that expects the commit that was read.

Through the `git` program: it has every way to prove who one is, of every host, and pushes several refs with an expected
head each, all or none. Nothing is checked out: commits are made in a bare repository beside the worker, which holds no
truth and may be deleted.
"""

import os
import signal
import subprocess
import tempfile
import threading
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from delivery.ports.errors import Conflict, Refused, Unavailable

CALL_SECONDS = 20.0
_READ = "refs/read"
_CLAIMS = "refs/delivery/"
_NOTHING = "0" * 40
_MOVED: Final = ("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")
_REFUSED: Final = ("[remote rejected]", "pre-receive hook declined", "protected branch", "GH006", "not allowed to push")
_UNKNOWN: Final = ("Authentication failed", "Permission denied", "could not read Username")
_DENIED: Final = (
    "error: 403",
    "does not appear to be a git repository",
    "not found",
    "couldn't find remote ref",
    "path '",
)


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the host: a user and a password or token for HTTPS, or the file of a key for SSH."""

    username: str = "git"
    password: str = field(default="", repr=False)
    ssh_key: str = ""
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    name: str = "Progressive delivery"
    email: str = "delivery@localhost"


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
        self._environment = _environment(login, author)
        self._lock = threading.Lock()

    def look(self) -> Read:
        """What is there now. Raises Unavailable, and Refused where it may not be read."""
        with self._lock:
            if not (self._directory / "HEAD").exists():
                self._directory.mkdir(parents=True, exist_ok=True)
                self._git("init", "--quiet", "--bare", str(self._directory))
            refs = (f"+refs/heads/{self.branch}:{_READ}", f"+{_CLAIMS}*:{_CLAIMS}*")
            self._git("fetch", "--quiet", "--no-tags", "--prune", "--depth=1", "--", self.url, *refs)
            head = self._git("rev-parse", "--verify", f"{_READ}^{{commit}}").decode().strip()
            listed = self._git("for-each-ref", "--format=%(refname) %(objectname)", _CLAIMS).decode()
            found = dict(line.split(" ") for line in listed.splitlines())
            texts = {name: self._git("log", "-1", "--format=%B", one).decode().strip() for name, one in found.items()}
        return Read(head, {name.removeprefix(_CLAIMS): (one, texts[name]) for name, one in found.items()})

    def read(self, commit: str, path: str) -> bytes:
        """A file. Raises Refused where there is none."""
        try:
            return self._git("cat-file", "blob", f"{commit}:{path}")
        except (Failed, Refused) as error:
            raise Refused(f"{self} has no file {path} at {commit[:12]}") from error

    def files(self, commit: str, folder: str) -> Mapping[str, str]:
        """The files below a folder, each with the hash of what is in it."""
        listed = self._git("ls-tree", "-r", "-z", commit, *(("--", f"{folder}/") if folder else ())).decode()
        rows = [row.split(None, 2)[2].split("\t", 1) for row in listed.split("\0") if row]
        return {path: blob for blob, path in rows}

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
        with tempfile.TemporaryDirectory(dir=self._directory) as folder:
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

    def _push(self, updates: Sequence[tuple[str, str, str]]) -> None:
        leases = [f"--force-with-lease={ref}:{expect}" for ref, _, expect in updates]
        refs = [f"{commit}:{ref}" for ref, commit, _ in updates]
        try:
            self._git("push", "--porcelain", "--no-verify", "--atomic", *leases, "--", self.url, *refs)
        except Failed as error:
            if any(word in str(error) for word in _MOVED):
                raise Conflict(f"somebody else pushed to {self} in between") from error
            if any(word in str(error) for word in _REFUSED):
                raise Refused(f"{self} does not take the commit: {error}") from error
            raise

    def _mode(self, parent: str, path: str) -> str:
        found = self._git("ls-tree", parent, "--", path).decode()
        return found.partition(" ")[0] or "100644"

    def _git(self, *arguments: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
        command = ["git", "--git-dir", str(self._directory), *arguments]
        try:
            done = _run(command, given, {**self._environment, **(more or {})})
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{self} does not answer within {CALL_SECONDS:g} s") from error
        except OSError as error:
            raise Refused(f"the program git cannot be run: {error}") from error
        if done.returncode == 0:
            return done.stdout
        text = _told(done.stdout + b"\n" + done.stderr)
        if any(word in text for word in _UNKNOWN):  # it may be being replaced: nothing has failed yet
            raise Failed(f"{self} does not take our token or key: {text}")
        if any(word in text for word in _DENIED) and not any(word in text for word in _MOVED):
            raise Refused(f"{self}: {text}")
        raise Failed(f"{self}: {text}")


class Failed(Unavailable):
    """What git said. Most of it is the network's."""


def _run(command: Sequence[str], given: bytes, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """In a group of its own: what git starts for the network would otherwise outlive it, and wait for a silent host."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, process_group=0) as running:
        try:
            out, err = running.communicate(given, CALL_SECONDS)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def _environment(login: Login, author: Author) -> Mapping[str, str]:
    """Nobody's configuration, no questions, no secret among the arguments, which others can read."""
    settings = {"core.hooksPath": os.devnull, "gc.auto": "0", "protocol.ext.allow": "never"}
    if login.password:
        pair = b64encode(f"{login.username}:{login.password}".encode()).decode()
        settings["http.extraHeader"] = f"Authorization: Basic {pair}"
    ssh = ["ssh", "-oBatchMode=yes", "-oConnectTimeout=10"]
    ssh += [f"-i{login.ssh_key}", "-oIdentitiesOnly=yes"] if login.ssh_key else []
    ssh += [f"-oUserKnownHostsFile={login.known_hosts}"] if login.known_hosts else []
    found = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": " ".join(ssh),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for role in ("AUTHOR", "COMMITTER"):
        found |= {f"GIT_{role}_NAME": author.name, f"GIT_{role}_EMAIL": author.email}
    for number, (key, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _told(output: bytes) -> str:
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return " ".join(_chosen(lines))[:400] or "no reason given"


def _chosen(lines: Sequence[str]) -> Sequence[str]:
    """Those that say what is wrong, where git says much."""
    return [line for line in lines if line.startswith(("fatal:", "error:", "!", "remote:", "To "))] or lines[-3:]


def _without_login(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url
