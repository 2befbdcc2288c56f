"""Intake: signed webhooks a second, each a release of its own, admitted and durable before its answer.

The API runs as in production, one uvicorn process over a real database; the sender is another process. No worker runs:
each service's first release waits for one, each later event makes a release that waits, and ends the one before it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks.figure import Better, Figure, Goal
from benchmarks.say import Say
from delivery.adapters.clock.system import SystemClock
from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.model.codec import digest
from delivery.model.ids import Principal, target_id
from delivery.model.target import Target
from delivery.model.version import VersionRef
from delivery.ports.rows import Row, ServiceRecord
from delivery.sandbox.ports import HOST, free_port
from delivery.sources.signing import sign

SERVICES = 100
CONNECTIONS = 32
SECONDS = 4.0
REPETITIONS = 5
MOST = 20_000  # events in a repetition: more than it can take
WITHIN = 20.0
SECRET = "whsec_" + b64encode(b"a secret of the benchmarks").decode()
SETTINGS = """
[limits]
source_per_second = 1000000

[server]
public_url = "http://127.0.0.1:{port}"
[database]
url = "{url}"
[clusters.local]
mesh = {{kind = "memory"}}
workloads = {{kind = "memory"}}
metrics = {{kind = "memory"}}
[processes.shop]
command = ["shop"]
[sources.ci]
dialect = "cloudevents"
secrets = ["{secret}"]
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One repetition: how many answers a second, and how many seconds each took."""

    rate: float
    answers: tuple[float, ...]


def measure(say: Say) -> list[Figure]:
    """On SQLite."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return measured(f"sqlite:///{Path(folder)}/delivery.db", "SQLite", say, Goal(2_000, Better.MORE))


def measure_postgres(say: Say) -> list[Figure]:
    """On PostgreSQL, with fsync."""
    from tools.postgres import postgres

    with postgres(durable=True) as url:
        return measured(url, "PostgreSQL", say, Goal(2_000, Better.MORE))


def measured(url: str, name: str, say: Say, goal: Goal) -> list[Figure]:
    upgrade(url)
    apply(SqlLedger(url, fold=fold))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _api(url, Path(folder)) as port:
        runs = []
        for repetition in range(REPETITIONS):
            before = _stored(url)
            run = _send(port, Path(folder), repetition)
            if _stored(url) - before != len(run.answers):
                raise RuntimeError(f"{len(run.answers)} answers, but {_stored(url) - before} deliveries are stored")
            runs.append(run)
            say(f"intake on {name}: {run.rate:,.0f} webhooks/s")
    answers = tuple(1000 * seconds for run in runs for seconds in run.answers)
    return [
        Figure(f"intake, {name}: webhooks", "1/s", tuple(run.rate for run in runs), goal),
        Figure(f"intake, {name}: answer at {CONNECTIONS} connections", "ms", answers),
    ]


def apply(ledger: SqlLedger) -> None:
    """The services that the requests are for."""
    now = SystemClock().now()
    for name in _services():
        content = {"service": name, "cluster": "local", "workload": {"process": "shop"}}
        ledger.put_service(ServiceRecord(name, content, digest(content), 1, now, Principal("bench")))
        ledger.create_target(Row(Target(target_id(name, "local"), name, "local", stable=VersionRef.of("1.4.1"))))
    ledger.close()


def _services() -> list[str]:
    return [f"service-{number:03}" for number in range(SERVICES)]


def _stored(url: str) -> int:
    """Deliveries in the inbox that became a release."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            query = "SELECT count(*) FROM inbox WHERE outcome = 'release'"
            return int(connection.execute(text(query)).scalar_one())
    finally:
        engine.dispose()


@contextmanager
def _api(url: str, folder: Path) -> Iterator[int]:
    """The API as a process; its port, once it answers."""
    port = free_port(0, set())
    settings = folder / "delivery.toml"
    settings.write_text(SETTINGS.format(port=port, url=url, secret=SECRET))
    command = [sys.executable, "-m", "uvicorn", "api.main:app", "--factory", "--host", HOST, "--port", str(port)]
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--no-access-log"], env={**os.environ, "DELIVERY_CONFIG": str(settings)}, stdout=log, stderr=log
        )
    try:
        _wait(f"http://{HOST}:{port}/readyz", process, folder / "api.log")
        yield port
    finally:
        process.terminate()
        process.wait(WITHIN)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + WITHIN
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=1.0):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise RuntimeError(f"the API did not start:\n{log.read_text()[-2000:]}")


def _send(port: int, folder: Path, repetition: int) -> Run:
    path = folder / "requests"
    with path.open("wb") as file:
        for number in range(MOST):
            body = request(port, repetition, number)
            file.write(len(body).to_bytes(4) + body)
    command = [sys.executable, "-m", "benchmarks.sender", str(port), str(path), str(CONNECTIONS), str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WITHIN + SECONDS)
    found = json.loads(done.stdout)
    if set(found["statuses"]) != {"202"}:
        raise RuntimeError(f"not every webhook was accepted: {found['statuses']}")
    return Run(len(found["answers"]) / found["seconds"], tuple(found["answers"]))


def request(port: int, repetition: int, number: int) -> bytes:
    """A release event as CI sends it, signed."""
    service, event_id = _services()[number % SERVICES], f"run-{repetition}-{number}"
    body = json.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": f"https://ci.example.org/{service}",
            "type": "delivery.release.requested.v1",
            "time": (datetime.now(UTC) + timedelta(microseconds=number)).isoformat(),
            "data": {
                "service": service,
                "cluster": "local",
                "version": f"2.{repetition}.{number}",
                "image": f"registry.example.org/{service}@sha256:{repetition:032x}{number:032x}",
                "commit": f"{number:040x}",
                "actor": "alice",
                "run_url": f"https://ci.example.org/{service}/runs/{number}",
            },
        }
    ).encode()
    headers = {
        "host": f"{HOST}:{port}",
        "content-type": "application/cloudevents+json",
        "content-length": str(len(body)),
        **sign(SECRET, event_id, int(time.time()), body),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/webhooks/ci HTTP/1.1\r\n{lines}\r\n".encode() + body
