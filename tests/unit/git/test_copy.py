"""What git keeps beside the worker: usable again whatever was killed in the middle, and by whom."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from delivery.adapters.git.configured import repository
from delivery.ports.errors import Refused, Unavailable
from tests.git_server import NOBODY, GitServer
from tests.serving import serving

LIMIT = 10.0
FILE = "apps/checkout/values.yaml"
KILLED = """
import os, signal, sys
from delivery.adapters.git.configured import repository
repository(sys.argv[1], "main", sys.argv[2]).look()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    return GitServer(tmp_path, {FILE: "tag: 1\n"})


@contextmanager
def host(server: GitServer, cut: list[bool], proofs: list[str | None] | None = None) -> Iterator[str]:
    """Serves the repository to everybody. While `cut` says so, a pack begins and then nothing comes. `proofs` are what
    was sent to prove who asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if proofs is not None:
                proofs.append(self.headers.get("authorization"))
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path, _, query = self.path.partition("?")
            env = {**NOBODY, "GIT_PROJECT_ROOT": str(server.bare.parent), "GIT_HTTP_EXPORT_ALL": "1"}
            env |= {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command}
            env |= {"CONTENT_TYPE": self.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body))}
            env |= {"HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", "")}
            env |= {"GIT_PROTOCOL": self.headers.get("git-protocol", "")}
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            self.send_response(200)
            for name, value in (line.split(": ", 1) for line in head.decode().splitlines()):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if cut[0] and b"PACK" in content:
                self.wfile.write(content[: content.index(b"PACK") + 40])
                self.wfile.flush()
                self.rfile.read(1)  # until the other side is gone
                return
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the server's own way to name it

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}/{server.bare.name}"


@pytest.mark.parametrize("files", [1, 200], ids=["few objects", "a pack"])
def test_a_host_that_falls_silent_in_the_middle_keeps_nothing_locked(server, tmp_path, monkeypatch, files):
    """Git is ended then; its locks and what it had of the pack would stay, and the copy could never be used again."""
    monkeypatch.setattr("delivery.adapters.git.program.CALL_SECONDS", 2.0)
    cut = [False]
    with host(server, cut) as url:
        worker = repository(url, "main", str(tmp_path / "w"))
        worker.look()
        server.commit("more", {f"more/{number}": f"{number}\n" for number in range(files)})
        cut[0] = True
        with pytest.raises(Unavailable, match="does not answer within"):
            worker.look()
        cut[0] = False
        monkeypatch.undo()
        assert worker.look().head == server.head()
    assert [one.name for one in (tmp_path / "w").rglob("tmp_*")] == []


def test_what_a_killed_worker_left_is_in_nobodys_way_and_goes(server, tmp_path):
    """Its locks, or half of a copy: the next one begins anew, and takes away what the dead have left."""
    path = tmp_path / "w"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, server.url, str(path)], check=False, timeout=60)
        assert done.returncode == -9
    for head in path.rglob("HEAD"):
        (head.parent / "shallow.lock").touch()
        (head.parent / "config").unlink()
    before = {one for one in path.iterdir() if one.is_dir()}
    worker = repository(server.url, "main", str(path))
    assert worker.look().head == server.head()
    assert not before & set(path.iterdir())
    assert len([one for one in path.iterdir() if one.is_dir()]) == 1


def test_two_processes_may_name_one_directory(server, tmp_path):
    path = tmp_path / "w"
    one, other = (repository(server.url, "main", str(path)) for _ in range(2))
    read = one.look()
    assert other.look() == read
    assert one.read(read.head, FILE) == b"tag: 1\n", "the second has left the first its copy"


def test_a_directory_that_cannot_be_written_is_told_and_waited_for(server, tmp_path):
    """A disk that is full, a mount that is missing: nothing has failed for good."""
    (tmp_path / "file").touch()
    worker = repository(server.url, "main", str(tmp_path / "file" / "w"))
    with pytest.raises(Unavailable, match=r"no copy .* can be kept in .*file/w: Not a directory"):
        worker.look()
    (tmp_path / "file").unlink()
    assert worker.look().head == server.head()


def test_a_machine_without_git_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(Refused, match="the program git cannot be run"):
        repository(server.url, "main", str(tmp_path / "w")).look()


@pytest.fixture
def arguments(tmp_path, monkeypatch) -> Path:
    """All that git is called with, as others of the machine can see it."""
    told, folder = tmp_path / "arguments", tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "ssh"):
        real = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        then = f'exec {real} "$@"' if name == "git" else "echo 'Host key verification failed.' >&2; exit 255"
        script = folder / name
        script.write_text(f'#!/bin/sh\nfor one in {name} "$@"; do echo "$one" >>{told}; done\n{then}\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return told


def test_a_password_in_the_address_is_no_argument_that_others_see(server, tmp_path, arguments):
    from tests.git_server import over_http

    with over_http(server, {"hunter2"}) as url:
        address = url.replace("://", "://robot:hunter2@")
        assert repository(address, "main", str(tmp_path / "w")).look().head == server.head()
    assert "hunter2" not in arguments.read_text()


def test_ssh_is_told_a_key_whose_path_has_spaces_and_its_own_words_are_told(tmp_path, arguments):
    key, hosts = tmp_path / "keys of; ours" / "id", tmp_path / "known hosts"
    found = repository(
        "ssh://git@host.example.org/x.git", "main", str(tmp_path / "w"), ssh_key=str(key), known_hosts=str(hosts)
    )
    with pytest.raises(Unavailable, match="Host key verification failed"):
        found.look()
    said = arguments.read_text().splitlines()
    assert f"-i{key}" in said
    assert f'-oUserKnownHostsFile="{hosts}"' in said


def test_the_way_out_of_this_network_is_gits_too(server, tmp_path, monkeypatch):
    """A proxy, and the authorities that are trusted here, are said by the environment as to everything else of us."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    with serving(Proxy) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(Unavailable):
            repository("http://git.example.org/x.git", "main", str(tmp_path / "w")).look()
    assert asked[0].startswith("http://git.example.org/x.git/")


def test_a_repository_of_many_notes_is_looked_at_at_once(server, tmp_path, arguments):
    """A note for each service: none of them costs a program of its own at each look."""
    worker = repository(server.url, "main", str(tmp_path / "w"))
    for name in ("a", "b"):
        worker.write(worker.look(), {}, "", (f"prod/{name}", f"of {name}\nin lines"))
    arguments.unlink()
    assert {name: text for name, (_, text) in worker.look().claims.items()} == {
        "prod/a": "of a\nin lines",
        "prod/b": "of b\nin lines",
    }
    before = arguments.read_text().splitlines().count("git")
    for name in ("c", "d", "e"):
        worker.write(worker.look(), {}, "", (f"prod/{name}", "more"))
    arguments.unlink()
    worker.look()
    assert arguments.read_text().splitlines().count("git") == before


def test_a_token_does_not_follow_a_redirect_to_another_host(server, tmp_path):
    """A host that has moved, or one that somebody else has by now: the repository is followed, the token stays."""
    proofs: list[str | None] = []
    with host(server, [False], proofs) as other:
        moved = other.replace("127.0.0.1", "localhost")

        class Redirect(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", f"{moved}{self.path.removeprefix('/old.git')}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: pytest shows what fails."""

        with serving(Redirect) as port:
            worker = repository(f"http://127.0.0.1:{port}/old.git", "main", str(tmp_path / "w"), password="secret")
            assert worker.look().head == server.head()
    assert set(proofs) == {None}
