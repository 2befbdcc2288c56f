"""Workloads as real processes against the contract, and what only processes can get wrong."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from delivery.adapters.workloads import pids, process, records
from delivery.adapters.workloads.process import Command, ProcessWorkloads, stop_all
from delivery.adapters.workloads.records import Record, Records
from delivery.model.service import Workload
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.workloads import Need
from delivery.testing.contracts.workloads import FIRST, SECOND, TARGET, WorkloadsContract, ready, retired

LIMIT = 20.0  # seconds that no healthy machine needs
DEMO = (sys.executable, "-m", "delivery.sandbox.demo_service", "--version", "{version}", "--port", "{port}")
STUBBORN = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
COMMANDS = {
    "checkout": Command(DEMO),
    "slow": Command((*DEMO, "--faults", "1.4.1:latency-ms=400")),
    "broken": Command((sys.executable, "-c", "raise SystemExit('no such database')")),
    "missing": Command(("/nowhere/at/all", "{port}")),
    "stubborn": Command((sys.executable, "-c", STUBBORN, "{port}")),
    "told": Command(
        ("/bin/sh", "-c", 'echo "{version} {identity} {image} $FLAVOUR" >&2; exit 3'), {"FLAVOUR": "sweet"}
    ),
}


class World:
    def __init__(self, state):
        self.state = state
        self.workloads, self.other = self.worker(), self.worker()
        self.workload, self.broken = Workload("process", "checkout"), Workload("process", "broken")

    def worker(self, **options):
        return ProcessWorkloads(COMMANDS, self.state, **options)

    def record(self, version=FIRST):
        record = Records(self.state).load(process.known_as(TARGET, version))
        assert record is not None
        return record

    def serve(self, version):
        return ready(self, version).endpoints[0]

    def crash(self, version):
        os.kill(self.record(version).pid, signal.SIGKILL)

    def answers(self, endpoint):
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def until(self, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, f"it did not come true within {LIMIT:g} s"
            time.sleep(0.01)


@pytest.fixture
def world(tmp_path):
    yield World(tmp_path / "state")
    stop_all(tmp_path / "state")


class TestWorkloads(WorkloadsContract):
    pass


def test_workers_that_ask_at_once_start_one_process(world):
    workers = [world.worker() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda worker: worker.ensure(TARGET, world.workload, FIRST), workers))
    assert len({running.looked_for for running in found}) == 1, "each names the process that it waits for"
    first = world.record()
    ready(world, FIRST)
    assert world.record() == first


def test_what_a_service_file_may_not_name_is_refused_with_what_there_is(world):
    found = world.workloads.ensure(TARGET, Workload("process", "rm"), FIRST)
    assert found.failing == (
        "the server's configuration has no process 'rm' (it has: broken, checkout, missing, slow, stubborn, told)"
    )
    assert world.workloads.ensure(TARGET, Workload("deployment", "checkout"), FIRST).failing is not None


def test_a_command_that_does_not_exist_is_named(world):
    found = world.workloads.ensure(TARGET, Workload("process", "missing"), FIRST)
    assert found.failing == "'/nowhere/at/all' cannot be started: No such file or directory"


def test_the_command_gets_what_it_asks_for(world):
    told = Workload("process", "told")
    world.until(lambda: world.workloads.ensure(TARGET, told, FIRST).failing is not None)
    failing = world.workloads.ensure(TARGET, told, FIRST).failing
    assert failing == f"it ended 3 times within 60 s: 1.4.1 sha256:aaa {FIRST.image} sweet"


def test_one_that_is_given_up_is_tried_again_after_a_release_was_retired(world):
    world.until(lambda: world.workloads.ensure(TARGET, world.broken, FIRST).failing is not None)
    world.workloads.retire(TARGET, world.broken, FIRST)
    assert world.workloads.ensure(TARGET, world.broken, FIRST).failing is None


def test_a_restart_keeps_the_port_so_that_proxies_need_not_learn_it(world):
    before = ready(world, FIRST).endpoints
    world.crash(FIRST)
    world.until(lambda: not world.record().lives())
    assert ready(world, FIRST).endpoints == before


def test_a_process_that_only_got_the_number_is_neither_taken_nor_ended(world):
    """The number in the record is ours, the mark is not: as after a reboot."""
    Records(world.state).save(process.known_as(TARGET, FIRST), Record(os.getpid(), "1", 1))
    world.workloads.retire(TARGET, world.workload, FIRST)
    Records(world.state).save(process.known_as(TARGET, FIRST), Record(os.getpid(), "1", 1))
    ready(world, FIRST)
    assert world.record().pid != os.getpid()
    Records(world.state).save(process.known_as(TARGET, SECOND), Record(os.getpid(), "1", 1))
    stop_all(world.state)


def test_it_does_not_end_with_its_worker(world):
    """Detached: a session of its own, and nothing of the worker's open but the log."""
    with (world.state / "kept").open("w"):
        ready(world, FIRST)
    pid = world.record().pid
    assert os.getsid(pid) == pid
    if sys.platform == "linux":
        opened = {os.path.realpath(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        assert [path for path in opened if path.startswith(str(world.state))] == [
            str(Records(world.state).log(process.known_as(TARGET, FIRST)))
        ]


def test_it_ends_by_itself_when_its_owner_is_gone(world):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        world.workloads = world.worker(owner=owner.pid)
        ready(world, FIRST)
        pid, started = world.record().pid, world.record().mark
        owner.kill()
    world.until(lambda: not pids.lives(pid, started))


def test_looking_starts_no_process(world):
    world.workloads.look(TARGET, world.workload, FIRST)
    world.workloads.ensure(TARGET, world.workload, FIRST, Need(home=True))
    assert Records(world.state).all() == {}


def test_a_process_is_nobodys_own(world):
    ready(world, FIRST)
    assert world.workloads.current(TARGET, world.workload) is None
    with pytest.raises(Refused, match="nobody's own"):
        world.workloads.promote(TARGET, world.workload, FIRST)


def test_workers_take_turns(world, monkeypatch):
    monkeypatch.setattr(records, "LOCK_SECONDS", 0.05)
    with Records(world.state).lock(), pytest.raises(Unavailable, match="another process has held"):
        world.workloads.ensure(TARGET, world.workload, FIRST)
    assert world.workloads.ensure(TARGET, world.workload, FIRST).failing is None


def test_retiring_lets_requests_end(world, monkeypatch):
    monkeypatch.setattr(process, "DRAIN_SECONDS", 1000.0)  # it ends because it was asked to
    world.workload = Workload("process", "slow")
    endpoint = ready(world, FIRST).endpoints[0]
    statuses = []
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=5)

    def ask():
        statuses.append(connection.getresponse().status)

    connection.request("GET", "/")
    asking = threading.Thread(target=ask)
    asking.start()
    world.until(lambda: _requests(endpoint) == 1)
    world.until(lambda: retired(world.workloads, world, FIRST))
    asking.join()
    connection.close()
    assert statuses == [200]


def _requests(endpoint):
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=5)
    try:
        connection.request("GET", "/_stats")
        return json.loads(connection.getresponse().read())["requests"]
    finally:
        connection.close()


def test_one_that_will_not_end_is_killed_after_a_limit(world, monkeypatch):
    monkeypatch.setattr(process, "DRAIN_SECONDS", 0.5)
    monkeypatch.setattr(process, "IN_PLACE", 0.2)
    world.workload = Workload("process", "stubborn")
    ready(world, FIRST)
    record = world.record()
    with pytest.raises(Unavailable, match="still ends its requests"):
        world.workloads.retire(TARGET, world.workload, FIRST)
    found = world.workloads.ensure(TARGET, world.workload, FIRST)
    assert not found.ready, "one that is ending takes no new traffic"
    world.until(lambda: retired(world.workloads, world, FIRST))
    assert not record.lives()


def test_everything_can_be_ended_at_once(world):
    for version in (FIRST, SECOND):
        ready(world, version)
    known = [world.record(version) for version in (FIRST, SECOND)]
    stop_all(world.state)
    assert not any(record.lives() for record in known)
    assert Records(world.state).all() == {}
    stop_all(world.state)


def test_a_dead_child_does_not_stay_a_zombie(world):
    ready(world, FIRST)
    pid = world.record().pid
    world.crash(FIRST)
    world.until(lambda: not world.workloads.look(TARGET, world.workload, FIRST).ready)
    world.until(lambda: _gone(world, pid))


def _gone(world, pid):
    world.workloads.look(TARGET, world.workload, FIRST)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
