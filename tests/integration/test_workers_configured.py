"""Workers as people start them: by a configuration, with the real engine on SQLite and the real broker."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from delivery.adapters.ledger.sql import SqlLedger
from delivery.adapters.ledger.sql.migrate import upgrade
from delivery.machine.evolve import fold
from delivery.sandbox.ports import free_port
from tests.integration.worker_parts import Broker, wait_for
from workers.main import main

STRICT = ("-W", "error", "-W", "ignore:You're running the worker with superuser")
HOST = socket.gethostname()


class Place:
    """A migrated database, a configuration, and the worker processes of a test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"sqlite:///{directory / 'delivery.db'}"
        upgrade(self.url)
        self.ledger = SqlLedger(self.url, fold=fold)
        self.processes: list[subprocess.Popen[str]] = []

    def configure(self, broker: str | None) -> None:
        lines = [f'[database]\nurl = "{self.url}"']
        lines += [f'[broker]\nurl = "{broker}"'] if broker else []
        memory = '{ kind = "memory" }'
        lines += [
            f"[clusters.{name}]\nmesh = {memory}\nworkloads = {memory}\nmetrics = {memory}" for name in ("eu", "us")
        ]
        (self.directory / "delivery.toml").write_text("\n".join(lines))

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DELIVERY_", "CELERY_"))}
        kept |= {"DELIVERY_CONFIG": str(self.directory / "delivery.toml"), **env}
        process = subprocess.Popen(
            [sys.executable, *STRICT, "-m", *command],
            env=kept,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process

    def hears(self, name: str) -> None:
        wait_for(lambda: f"{name}@{HOST}" in self.ledger.workers(), f"{name} says that it lives")

    def close(self) -> None:
        self.ledger.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def place(tmp_path) -> Iterator[Any]:
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.fixture
def broker(tmp_path) -> Iterator[Any]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=30)
    return process.returncode, said


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_worker_by_its_module_lives_shows_its_metrics_and_ends_warm(place, broker):
    place.configure(broker.url)
    port = free_port()
    process = place.start("workers.main", "--name", "w1", "--metrics-port", str(port))
    place.hears("w1")
    assert "delivery_quarantined_total 0.0" in scraped(port)
    process.send_signal(signal.SIGTERM)
    code, said = ended(process)
    assert code == 0, said
    assert "Traceback" not in said, said


def test_a_worker_without_a_broker_in_its_configuration_is_the_scan_alone(place):
    place.configure(None)
    process = place.start("workers.main", "--clusters", "eu")
    place.hears("worker")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "")


@pytest.mark.parametrize("brokered", [True, False])
def test_a_worker_ends_however_often_it_is_told_to(place, broker, brokered):
    """Each thread of a parent that is killed is one SIGTERM more."""
    place.configure(broker.url if brokered else None)
    process = place.start("workers.main")
    place.hears("worker")
    for _ in range(200):
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.001)
    code, said = ended(process)
    assert code in {0, -signal.SIGTERM}, said  # Python hands the signal back to the system at its very end
    assert "Traceback" not in said, said


def test_a_worker_by_celerys_own_command(place, broker):
    place.configure(broker.url)
    port = free_port()
    command = ("celery", "-A", "workers.app", "worker", "--without-gossip", "--without-mingle", "-n", "w2@%h")
    process = place.start(*command, DELIVERY_METRICS_PORT=str(port), DELIVERY_CLUSTERS="us")
    place.hears("w2")
    assert "delivery_steps_total" in scraped(port)
    process.send_signal(signal.SIGTERM)
    code, said = ended(process)
    assert code == 0, said
    assert "delivery.us" in said
    assert "delivery.eu" not in said


def test_one_that_would_fork_is_refused(place, broker):
    place.configure(broker.url)
    code, said = ended(place.start("celery", "-A", "workers.app", "worker", "-P", "processes"))
    assert code != 0
    assert "use -P threads" in said


@pytest.fixture
def own_logging() -> Iterator[None]:
    root, handlers, level = logging.getLogger(), list(logging.getLogger().handlers), logging.getLogger().level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "nowhere.toml"], "nowhere.toml: the configuration cannot be used"),
        (["--clusters", "mars"], "there is no cluster 'mars'; there is: eu, us"),
    ],
    ids=["no file", "no such cluster"],
)
def test_a_configuration_that_cannot_be_used_is_told_in_a_sentence(place, capsys, arguments, words):
    place.configure(None)
    assert main(["--config", str(place.directory / "delivery.toml"), *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("own_logging")
def test_a_taken_port_is_told_too(place, capsys):
    place.configure(None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = main(["--config", str(place.directory / "delivery.toml"), "--metrics-port", str(port)])
    assert code == 2
    assert f"127.0.0.1:{port} for metrics: Address already in use" in capsys.readouterr().err
