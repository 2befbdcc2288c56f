"""The whole local environment with its real parts: ready, mended when a part is killed, and gone without a trace."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.workloads import pids
from delivery.sandbox import environment
from delivery.sandbox.envoy import EnvoyMissing
from delivery.sandbox.errors import CannotStart
from delivery.sandbox.parts import Parts
from tests.integration.worker_parts import wait_for

PARTS = ("valkey", "envoy", "api", "worker-1", "worker-2")


def commands() -> Iterator[tuple[int, str]]:
    """Every process of the machine with its command line."""
    if not Path("/proc/self/cmdline").exists():
        shown = subprocess.run(["ps", "-Aww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
        for line in shown.stdout.splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command
        return
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield int(path.parent.name), path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


class Run:
    """An environment in another process."""

    def __init__(self, directory: Path, api_port: int = 0) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.integration.environment_run", str(directory), str(api_port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.progress: list[str] = []
        for line in self.process.stdout:
            if line == "ready\n":
                break
            self.progress.append(line.strip())
        said = self.process.stdout.readline()
        self.facts: dict[str, Any] = json.loads(said) if said else {}
        self.seen = set(self.pids().values()) | self.versions()

    def pids(self) -> dict[str, int]:
        path = self.directory / "processes.json"
        return {name: pid for name, (pid, _) in json.loads(path.read_text()).items()} if path.exists() else {}

    def versions(self) -> set[int]:
        """Processes whose command line names the demo service and a port of this run."""
        wanted = f"--port {self.facts.get('version')} "
        return {pid for pid, command in commands() if wanted in f"{command} "}

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in self.seen:
            if pids.mark(pid) is not None:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start(tmp_path) -> Iterator[Any]:
    runs: list[Run] = []

    def begin(api_port: int = 0) -> Run:
        runs.append(Run(tmp_path / "run", api_port))
        return runs[-1]

    yield begin
    for run in runs:
        run.close()


def asked(url: str, token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def all_gone(run: Run) -> bool:
    return all(pids.mark(pid) is None for pid in run.seen)


def until_gone(run: Run) -> None:
    """Waits for the end of everything. What is left after a while is told, with the system call of each thread."""
    try:
        wait_for(lambda: all_gone(run), "everything ends")
    except AssertionError as late:
        for pid, command in commands():
            if pid in run.seen:
                calls = [path.read_text().split()[0] for path in Path(f"/proc/{pid}/task").glob("*/syscall")]
                late.add_note(f"{pid} {pids.mark(pid)} {command}: {calls}")
        raise


def test_every_part_is_ready_is_started_again_when_it_is_killed_and_ends_with_the_environment(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        run = start(taken)
    assert sorted(run.pids()) == sorted(PARTS), run.progress
    assert any(line.startswith(f"port {taken} is taken: the API gets ") for line in run.progress)
    for part in PARTS:
        assert any(line.startswith(f"{part} ready") for line in run.progress), part
    releases, token = f"{run.facts['api']}/v1/releases", run.facts["keys"]["tokens"]["alice"]
    assert asked(releases)[0] == 401
    assert asked(releases, token)[0] == 200
    assert asked(run.facts["proxy"])[0] == 404, "Envoy answers, and has no route yet"
    assert all("delivery_steps_total" in asked(url)[1] for url in run.facts["metrics"])

    before = run.pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(run.pids().get(part, before[part]) != before[part] for part in PARTS), "all are started again")
    run.seen |= set(run.pids().values())
    wait_for(lambda: asked(releases, token)[0] == 200, "the API answers again")
    wait_for(lambda: asked(run.facts["proxy"])[0] == 404, "Envoy answers again, on its old port")
    wait_for(lambda: all(asked(url)[0] == 200 for url in run.facts["metrics"]), "the workers are there again")
    assert run.versions(), "versions of services outlive the worker that started them"

    assert run.end(signal.SIGINT) == 0
    assert all_gone(run)
    assert not (run.directory / "processes.json").exists()


def test_killed_itself_it_leaves_no_process_and_the_next_one_keeps_keys_and_history(start):
    run = start()
    assert run.versions()
    run.process.kill()
    until_gone(run)
    after = start()
    assert after.facts["keys"] == run.facts["keys"]
    assert after.end(signal.SIGTERM) == 0
    assert all_gone(after)


class SaysNo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_another_server_on_its_port_is_not_taken_for_the_api(tmp_path):
    parts = Parts(tmp_path, 0, 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), SaysNo) as other:
        serving = threading.Thread(target=other.serve_forever)
        serving.start()
        try:
            parts.places = replace(parts.places, api_port=other.server_port)
            assert not parts.api_program("alice-token").ready()
        finally:
            other.shutdown()
            serving.join()
            parts.close()


def test_a_machine_without_envoy_is_told_so_in_a_sentence(tmp_path, monkeypatch):
    def missing() -> str:
        raise EnvoyMissing("Envoy has no wheel for musl (Alpine); use a Linux with glibc 2.31 or newer.")

    monkeypatch.setattr(environment, "find_envoy", missing)
    with pytest.raises(CannotStart, match="Envoy has no wheel for musl"):
        environment.check_parts()
