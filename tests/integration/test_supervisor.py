"""The supervisor with real processes: started again, ended in order, and none left, however it ends itself."""

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import delivery.sandbox.program
from delivery.adapters.workloads import pids
from delivery.sandbox.claim import RunDirectory
from delivery.sandbox.errors import CannotStart, Stopped
from delivery.sandbox.program import QUICK_DEATHS, Program
from delivery.sandbox.supervisor import Supervisor, supervising
from tests.integration.supervised import Output, program
from tests.integration.worker_parts import wait_for

LIMIT = 20.0
SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def gone(pid: int) -> bool:
    return pids.mark(pid) is None


def run(directory: Path, work) -> Any:
    """`work(supervisor)` under a supervisor in this process, bounded in time."""

    async def whole() -> Any:
        with RunDirectory(directory) as claimed:
            async with asyncio.timeout(60), supervising(claimed, Output(directory)) as supervisor:
                return await work(supervisor)

    return asyncio.run(whole())


class Supervised:
    """A supervisor in another process, and the pids of its programs."""

    def __init__(self, directory: Path, *names: str) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.integration.supervised", str(directory), *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().strip()
        recorded = json.loads((directory / "processes.json").read_text()) if self.said == "ready" else {}
        self.pids = {name: pid for name, (pid, _) in recorded.items()}

    def child_of(self, name: str) -> int:
        """The pid that the program `parent` told."""
        return int((self.directory / f"{name}.said").read_text().split()[1])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in self.pids.values():
            if not gone(pid):
                os.killpg(pid, signal.SIGKILL)


@pytest.fixture
def supervised(tmp_path) -> Iterator[Any]:
    started: list[Supervised] = []

    def start(*names: str) -> Supervised:
        started.append(Supervised(tmp_path, *names))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_reverse_order_and_leaves_nothing(supervised, tmp_path, number):
    one = supervised("first", "second", "parent")
    child = one.child_of("parent")
    assert not gone(child)
    one.process.send_signal(number)
    assert one.process.wait(LIMIT) == 0
    assert (tmp_path / "ended").read_text().split() == ["second", "first"]
    assert all(map(gone, [*one.pids.values(), child]))
    assert not (tmp_path / "processes.json").exists()


def test_asked_twice_it_waits_for_nobody(supervised):
    one = supervised("first", "stubborn")
    one.process.send_signal(signal.SIGINT)
    assert one.process.stdout is not None
    assert one.process.stdout.readline() == "SIGINT: stopping\n"  # two at once would be one to the system
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(LIMIT) == 0
    assert all(map(gone, one.pids.values()))


def test_killed_it_takes_its_programs_along(supervised, tmp_path):
    one = supervised("first", "second")
    one.process.kill()
    one.process.wait()
    if platform.system() != "Linux":  # no other system tells children of their parent's death
        with RunDirectory(tmp_path):
            pass
    wait_for(lambda: all(map(gone, one.pids.values())), "the programs end", LIMIT)


def test_what_outlived_a_killed_one_is_ended_by_the_next_in_the_same_directory(supervised, tmp_path):
    one = supervised("stubborn")
    one.process.kill()
    one.process.wait()
    (left,) = one.pids.values()
    assert not gone(left)
    with RunDirectory(tmp_path):
        assert gone(left)


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        (tmp_path / "processes.json").write_text(json.dumps({"api": [other.pid, "another time"]}))
        with RunDirectory(tmp_path):
            assert not gone(other.pid)
    finally:
        other.communicate(b"\n", LIMIT)


def test_two_in_one_directory_are_one_too_many(supervised, tmp_path):
    one = supervised("first")
    with pytest.raises(CannotStart, match=f"in use by process {one.process.pid}; end that one"), RunDirectory(tmp_path):
        pass
    assert not any(map(gone, one.pids.values()))


def test_a_program_that_dies_is_started_again(tmp_path):
    async def work(supervisor: Supervisor) -> tuple[int | None, int | None, int]:
        running = await supervisor.start(program(tmp_path, "parent"))
        before, child = running.pid, int((tmp_path / "parent.said").read_text().split()[1])
        assert before is not None
        os.kill(before, signal.SIGKILL)
        while running.starts < 2:
            await asyncio.sleep(0.01)
        assert gone(child), "what it had started in its session ended with it"
        return before, running.pid, running.starts

    before, after, starts = run(tmp_path, work)
    assert before != after
    assert starts == 2
    assert gone(after)
    assert "ended with signal SIGKILL" in (tmp_path / "parent.said").read_text()


def test_one_that_keeps_dying_is_given_up_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(delivery.sandbox.program, "FIRST_PAUSE", 0.01)

    async def work(supervisor: Supervisor) -> tuple[str | None, int]:
        await supervisor.start(program(tmp_path, "first"))
        running = await supervisor.start(program(tmp_path, "dying"))
        started = time.monotonic()
        why = await supervisor.run()
        assert time.monotonic() - started > 0.01 * (1 + 4 + 16 + 64), "each pause is longer than the one before"
        return why, running.starts

    why, starts = run(tmp_path, work)
    assert starts == QUICK_DEATHS
    assert why.startswith("dying ended 5 times within 5 s of its start. Its last words:\n  no such table")
    assert (tmp_path / "ended").read_text() == "first\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            (sys.executable, "-c", "print('port is taken'); raise SystemExit(1)"),
            "ended before it was ready.*port is taken",
        ),
        (SLEEP, "was not ready within 0.4 s.*it said nothing"),
        (("no-such-program-anywhere",), "cannot be started: there is no program no-such-program-anywhere"),
    ],
    ids=["dies", "is never ready", "is not there"],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path, command, words):
    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(Program("api", lambda: command, ready=lambda: False, ready_within=0.4))

    with pytest.raises(CannotStart, match=f"(?s)^api {words}"):
        run(tmp_path, work)
    assert not (tmp_path / "processes.json").exists()


def test_a_stop_during_the_start_is_heard(tmp_path):
    def asked() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return False

    async def work(supervisor: Supervisor) -> None:
        await supervisor.start(program(tmp_path, "first"))
        await supervisor.start(Program("slow", lambda: SLEEP, ready=asked))

    with pytest.raises(Stopped, match="stopped while slow was starting"):
        run(tmp_path, work)


def test_work_ends_with_the_supervisor(tmp_path):
    async def forever() -> None:
        await asyncio.sleep(600)

    async def answer() -> int:
        return 42

    async def work(supervisor: Supervisor) -> int:
        result = await supervisor.during(answer())
        asyncio.get_running_loop().call_later(0.05, supervisor.request_stop)
        with pytest.raises(Stopped):
            await supervisor.during(forever())
        return result

    assert run(tmp_path, work) == 42


def test_requests_end_before_their_program_does(tmp_path):
    order: list[str] = []

    def drain() -> None:
        order.append("drained" if not (tmp_path / "ended").exists() else "too late")
        raise OSError("the admin interface is gone")

    async def work(supervisor: Supervisor) -> None:
        first = program(tmp_path, "first")
        await supervisor.start(Program("first", first.command, ready=first.ready, before_stop=drain))

    run(tmp_path, work)
    assert order == ["drained"]
    assert (tmp_path / "ended").read_text() == "first\n"


def test_lines_without_an_end_and_bytes_that_are_no_text_are_passed_on(tmp_path):
    script = r"import os, time; os.write(1, b'x' * 20000 + b'\n\xff\xfe bad\nlast\n'); time.sleep(600)"
    lines: list[str] = []

    async def work() -> None:
        with RunDirectory(tmp_path) as claimed:
            async with (
                asyncio.timeout(LIMIT),
                supervising(claimed, lambda name, line: lines.append(line)) as supervisor,
            ):
                await supervisor.start(Program("talks", lambda: (sys.executable, "-c", script)))
                while "last" not in lines:
                    await asyncio.sleep(0.01)

    asyncio.run(work())
    assert "".join(lines) == "x" * 20000 + "\ufffd\ufffd bad" + "last"


def test_signals_are_pythons_own_again_afterwards(tmp_path):
    async def nothing(supervisor: Supervisor) -> None:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL

    run(tmp_path, nothing)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
