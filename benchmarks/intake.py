"""Intake: signed release events a second through the API, each admitted and durably committed before its 202.

The API is a process of its own (uvicorn, SQLite with every commit synced); the senders are another, with keep-alive
connections. Every event is a different one. A service's first starts a release, the next ones wait, the newest alone.
"""

import asyncio
import base64
import json
import multiprocessing
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from benchmarks.figure import Better, Figure, Goal
from benchmarks.fleet import CLUSTER, Fleet
from benchmarks.say import Say
from delivery.adapters.ledger.sql import upgrade
from delivery.sandbox.ports import HOST, free_port
from delivery.sources.signing import sign

SERVICES = 200
CONNECTIONS = 32
EVENTS = 6_000
REPETITIONS = 5
START_SECONDS = 20.0
GOAL = Goal(2_000, Better.MORE)


def measure(say: Say) -> list[Figure]:
    """On SQLite."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        url = f"sqlite:///{Path(folder)}/delivery.db"
        upgrade(url)
        names = [f"service-{number:04}" for number in range(SERVICES)]
        fleet = Fleet(url, names)
        fleet.apply()
        fleet.ledger.close()
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        with _api(Path(folder), url, secret, names) as port:
            rates, waits = [], list[float]()
            for repetition in range(REPETITIONS):
                rate, latencies = _sent(port, _requests(secret, names, repetition))
                say(f"{rate:.0f} events/s, p99 {sorted(latencies)[len(latencies) * 99 // 100] * 1000:.0f} ms")
                rates.append(rate)
                waits += latencies
    where = f"SQLite, {CONNECTIONS} connections"
    return [
        Figure(f"intake: events, {where}", "1/s", tuple(rates), GOAL),
        Figure(f"intake: wait for the 202, {where}", "ms", tuple(wait * 1000 for wait in waits)),
    ]


@contextmanager
def _api(folder: Path, url: str, secret: str, names: list[str]) -> Iterator[int]:
    port = free_port()
    config = folder / "delivery.toml"
    config.write_text(
        f'[database]\nurl = "{url}"\n[sources.ci]\ndialect = "cloudevents"\nsecrets = ["{secret}"]\n'
        + "".join(f'[clusters.{CLUSTER}.{part}]\nkind = "memory"\n' for part in ("mesh", "workloads", "metrics"))
        + "".join(f"[processes.{name}]\ncommand = ['any']\n" for name in names)
    )
    command = [sys.executable, "-m", "uvicorn", "api.main:app", "--factory", "--host", HOST, "--port", str(port)]
    environ = {**os.environ, "DELIVERY_CONFIG": str(config)}
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen([*command, "--no-access-log"], env=environ, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_SECONDS
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the API did not start: {(folder / 'api.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/readyz", timeout=1.0).is_success
    except httpx.TransportError:
        return False


def _requests(secret: str, names: list[str], repetition: int) -> list[bytes]:
    """Whole requests, signed beforehand: the sender's own work is not what is measured."""
    made = []
    for number in range(EVENTS):
        event, now = f"run-{repetition}-{number}", datetime.now(UTC)
        body = json.dumps({
            "specversion": "1.0", "id": event, "source": "https://ci.example.org/bench", "time": now.isoformat(),
            "type": "delivery.release.requested.v1",
            "data": {"service": names[number % len(names)], "version": f"1.{repetition}.{number}", "actor": "ci"},
        }).encode()  # fmt: skip
        headers = sign(secret, event, int(now.timestamp()), body)
        headers |= {"host": HOST, "content-type": "application/cloudevents+json", "content-length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        made.append(f"POST /v1/webhooks/ci HTTP/1.1\r\n{head}\r\n".encode() + body)
    return made


def _sent(port: int, requests: list[bytes]) -> tuple[float, list[float]]:
    """Events a second, and each one's seconds from sent to answered; sent by another process."""
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_send, args=(port, requests, theirs), daemon=True)
    process.start()
    theirs.close()  # so that a sender that fails is an end of file here
    answer: tuple[float, list[float]] = ours.recv()
    process.join(10)
    return answer


def _send(port: int, requests: list[bytes], told: Connection) -> None:
    told.send(asyncio.run(_all(port, requests)))


async def _all(port: int, requests: list[bytes]) -> tuple[float, list[float]]:
    waiting = iter(requests)
    begun = time.monotonic()
    latencies = await asyncio.gather(*(_connection(port, waiting) for _ in range(CONNECTIONS)))
    return len(requests) / (time.monotonic() - begun), [one for some in latencies for one in some]


async def _connection(port: int, waiting: Iterator[bytes]) -> list[float]:
    reader, writer = await asyncio.open_connection(HOST, port)
    latencies = []
    for request in waiting:
        begun = time.monotonic()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 202"):
            raise RuntimeError(f"not accepted: {head!r} {body!r}")
        latencies.append(time.monotonic() - begun)
    writer.close()
    return latencies
