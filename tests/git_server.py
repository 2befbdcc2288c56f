"""A git repository of somebody else, as a host has it: bare, with one branch, and a clone in which people commit."""

import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml

from tests.serving import serving

NOBODY: Mapping[str, str] = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{what}": "ann@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


class GitServer:
    """`url` is where it is served. `files` are on the branch `main` from the start."""

    def __init__(self, directory: Path, files: Mapping[str, str]) -> None:
        self.bare = directory / "host.git"
        self.url = f"file://{self.bare}"
        self._clone = directory / "people"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        self._git("clone", "--quiet", self.url, str(self._clone))
        self._git("checkout", "--quiet", "-B", "main", at=self._clone)
        self.commit("the beginning", files)

    def commit(self, message: str, files: Mapping[str, str]) -> str:
        """Somebody pushes this."""
        self._git("fetch", "--quiet", "origin", at=self._clone)
        if self.log():
            self._git("reset", "--quiet", "--hard", "origin/main", at=self._clone)
        for name, text in files.items():
            path = self._clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="surrogateescape")
            self._git("add", name, at=self._clone)
        self._git("commit", "--quiet", "--allow-empty", "-m", message, at=self._clone)
        self._git("push", "--quiet", "origin", "main", at=self._clone)
        return self.log()[0].partition(" ")[0]

    def read(self, name: str) -> str:
        """What the branch says now."""
        return self._git("show", f"main:{name}", at=self.bare)

    def objects(self, folder: str) -> list[dict[str, Any]]:
        """All objects in the YAML files of a folder, at the head of the branch."""
        head = self.head()
        names = self._git("ls-tree", "-r", "--name-only", head, "--", f"{folder}/", at=self.bare).splitlines()
        texts = [self._git("show", f"{head}:{name}", at=self.bare) for name in names if name.endswith(".yaml")]
        return [one for text in texts for one in yaml.safe_load_all(text) if one]

    def log(self) -> list[str]:
        """`COMMIT SUBJECT`, newest first."""
        try:
            return self._git("log", "--format=%H %s", "main", at=self.bare).splitlines()
        except subprocess.CalledProcessError:
            return []

    def head(self) -> str:
        return self._git("rev-parse", "main", at=self.bare).strip()

    def refuses(self, text: str) -> None:
        """From now on every push is declined, as a protected branch does it."""
        hook = self.bare / "hooks" / "pre-receive"
        hook.write_text(f"#!/bin/sh\necho {text!r} >&2\nexit 1\n")
        hook.chmod(0o755)

    def takes(self) -> None:
        (self.bare / "hooks" / "pre-receive").unlink()

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=at, env={**NOBODY}, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout


@contextmanager
def over_http(server: GitServer, tokens: set[str]) -> Iterator[str]:
    """The repository's address at a host that asks for a token, by git's own program for that. `tokens` are those that
    count, as the password of any user; they may change meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            kind, _, pair = self.headers.get("authorization", "").partition(" ")
            if kind != "Basic" or b64decode(pair).decode().partition(":")[2] not in tokens:
                self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            path, _, query = self.path.partition("?")
            env = {**NOBODY, "GIT_PROJECT_ROOT": str(server.bare.parent), "GIT_HTTP_EXPORT_ALL": "1"}
            env |= {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "robot"}
            env |= {"CONTENT_TYPE": self.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body))}
            env |= {"HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", "")}
            env |= {"GIT_PROTOCOL": self.headers.get("git-protocol", "")}
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            told = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self._answer(int(told.pop("Status", "200").split()[0]), told, content)

        do_POST = do_GET  # noqa: N815 - the server's own way to name it

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}/{server.bare.name}"
