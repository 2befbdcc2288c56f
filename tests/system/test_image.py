"""The container file's own commands in a bare environment: no container engine is here, so its image was never made."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from delivery.sandbox.ports import free_port
from tests.system import image

WITHIN = 60.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.geteuid():
        pytest.fail("the container file is played in a mount namespace of its own: run this as root")
    root = tmp_path_factory.mktemp("image")
    root.chmod(0o755)
    image.build(root)
    return root


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def volumes(tmp_path: Path, port: int) -> image.Volumes:
    """A configuration that everybody may read, as a mounted one is, and a place for its database."""
    made = image.Volumes(tmp_path / "etc", tmp_path / "data")
    made.etc.mkdir()
    made.data.mkdir()
    made.data.chmod(0o777)
    memory = "\n".join(f'{part} = {{ kind = "memory" }}' for part in ("mesh", "workloads", "metrics"))
    (made.etc / "delivery.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n[database]\nurl = "sqlite:///{image.DATA}/delivery.db"\n'
        f"[clusters.local]\n{memory}\n"
    )
    return made


@contextmanager
def started(root: Path, volumes: image.Volumes, *arguments: str, **more: str) -> Iterator[Popen[str]]:
    process = image.start(root, volumes, arguments, **more)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answer(url: str, process: Popen[str]) -> str:
    """The body, once it answers."""
    until = time.monotonic() + WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            assert process.poll() is None, process.communicate()[0][-2000:]
            assert time.monotonic() < until
            time.sleep(0.05)


def test_its_parts_start_as_nobody_on_a_read_only_root(root: Path, volumes: image.Volumes, port: int) -> None:
    for migrate in (["delivery", "migrate"], ["delivery", "migrate", "--wait"]):
        assert image.run(root, volumes, migrate) == (0, "the database is up to date\n")
    metrics = free_port()
    address = "127.0.0.1"
    shown = {"DELIVERY_METRICS_PORT": str(metrics), "DELIVERY_METRICS_ADDRESS": address}
    with started(root, volumes) as api, started(root, volumes, "worker", **shown) as worker:
        assert json.loads(answer(f"http://{address}:{port}/healthz", api)) == {"status": "ok"}
        assert "delivery_quarantined_total" in answer(f"http://{address}:{metrics}/metrics", worker)
        assert image.run(root, volumes, image.health(port)) == (0, "")
        for process in (api, worker):
            process.send_signal(signal.SIGTERM)
        assert api.wait(WITHIN) in (0, -signal.SIGTERM)
        assert worker.wait(WITHIN) == 0


def test_the_health_check_fails_where_nothing_answers(root: Path, volumes: image.Volumes, port: int) -> None:
    assert image.run(root, volumes, image.health(port))[0] != 0


def test_it_runs_without_rights_and_can_write_nowhere_but_tmp(root: Path, volumes: image.Volumes) -> None:
    tried = (
        "id -u; touch /tmp/x && echo tmp; for at in / /opt/delivery /etc/delivery /usr; do touch $at/x || true; done"
    )
    code, said = image.run(root, volumes, ["sh", "-c", tried])
    assert code == 0
    assert said.splitlines()[:2] == ["10001", "tmp"]
    assert said.count("Read-only file system") == 4, said


def test_neither_tests_nor_build_tools_are_in_it(root: Path, volumes: image.Volumes) -> None:
    code, said = image.run(root, volumes, ["python", "-c", "import delivery, api, workers; print(delivery.__file__)"])
    assert (code, said.startswith("/opt/delivery/")) == (0, True), said
    for absent in ("tests", "pytest", "hatchling", "envoy"):
        assert image.run(root, volumes, ["python", "-c", f"import {absent}"])[0] == 1
