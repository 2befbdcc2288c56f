"""Deliveries in real HTTP: each one three times, shuffled, at two API processes that die, and all of it replayed."""

import json
import os
import random
import socket
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.ports.history import Filter
from delivery.ports.rows import InboxState
from delivery.sandbox.configuration import write_private
from delivery.sandbox.ports import HOST, free_port
from delivery.sources.signing import sign
from tests.cluster.testbed.process import Process
from tests.faults.storm import Found

SERVICES = 120
"""Every fourth of them is told of several versions, of which the oldest come late; the others of one."""
VERSIONS = 5
TIMES = 3
"""How often each is sent at first; later it is replayed once more."""
AT_ONCE = 8
ANSWERS_WITHIN = 60.0
GAP = (0.2, 0.6)
"""Seconds between two deaths of an API process."""
EVERYTHING = 1_000_000
SECRET = "whsec_" + b64encode(b"a secret of the tests, no more").decode()
TOKEN = "a-token-of-the-tests"
SETTINGS = f"""\
[server]
public_url = "https://delivery.example.org"
[database]
url = "DATABASE"
[clusters.local]
mesh = {{kind = "memory"}}
workloads = {{kind = "memory"}}
metrics = {{kind = "memory"}}
[processes.shop]
command = ["shop"]
[sources.ci]
dialect = "cloudevents"
secrets = ["{SECRET}"]
[[tokens]]
name = "ann"
principal = "ann"
role = "admin"
groups = ["sre"]
sha256 = "{sha256(TOKEN.encode()).hexdigest()}"
"""
FILE = """\
service: {service}
cluster: local
workload: {{process: shop}}
strategies: [canary: {{steps: [50%], gates: []}}]
"""
SOURCE = "https://ci.example.org/shop"
Json = dict[str, Any]


class Api:
    """An API process as in production, at one address: after a death another one starts there."""

    def __init__(self, folder: Path, url: str, name: str) -> None:
        self._folder, self._name, self._port = folder, name, free_port()
        self.url = f"http://{HOST}:{self._port}"
        write_private(folder / f"{name}.toml", SETTINGS.replace("DATABASE", url))
        self.start()

    def start(self) -> None:
        command = ("-m", "uvicorn", "api.main:app", "--factory", "--host", HOST, "--port", str(self._port))
        environment = {**os.environ, "DELIVERY_CONFIG": str(self._folder / f"{self._name}.toml")}
        log = self._folder / f"{self._name}.log"
        self._process = Process(self._name, [sys.executable, *command, "--no-access-log"], log, env=environment)
        self._process.wait(self._listens, ANSWERS_WITHIN)

    def kill(self) -> None:
        self._process.kill()

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self._port), timeout=0.5).close()
        except OSError:
            return False
        return True


class Sender:
    """As CI's system sends: signed, and again where nobody answers or the answer asks for that."""

    def __init__(self, apis: Sequence[Api]) -> None:
        self._apis, self._random = apis, random.Random()
        self._client = httpx.Client(timeout=20.0)
        self._lock = threading.Lock()
        self.answers: dict[str, list[Json]] = {}
        self.counted: Counter[str] = Counter()

    def close(self) -> None:
        self._client.close()

    def apply(self, service: str) -> None:
        headers = {"content-type": "application/yaml", "authorization": f"Bearer {TOKEN}"}
        url = f"{self._apis[0].url}/v1/services/{service}"
        answer = self._client.put(url, content=FILE.format(service=service), headers=headers)
        assert answer.is_success, answer.text

    def send(self, event: str, body: bytes) -> None:
        """Returns when it is answered for good."""
        end = time.monotonic() + ANSWERS_WITHIN
        while True:
            answer = self._ask(event, body)
            with self._lock:
                self.counted["requests"] += 1
                if answer is not None and answer.is_success:
                    self.answers.setdefault(event, []).append(answer.json())
                    return
                self.counted["requests without an answer" if answer is None else "requests to be sent again"] += 1
            assert answer is None or answer.status_code in (429, 503), f"{answer.status_code} {answer.text}"
            assert time.monotonic() < end, f"{event} was not answered within {ANSWERS_WITHIN:g} s"
            time.sleep(0.05)

    def _ask(self, event: str, body: bytes) -> httpx.Response | None:
        headers = sign(SECRET, event, int(time.time()), body) | {"content-type": "application/cloudevents+json"}
        url = f"{self._random.choice(self._apis).url}/v1/webhooks/ci"
        try:
            return self._client.post(url, content=body, headers=headers)
        except httpx.TransportError:
            return None


def play(folder: Path, url: str, services: int = SERVICES) -> Found:
    """One round over an empty database."""
    begun, found = time.monotonic(), Found()
    upgrade(url)
    with ExitStack() as stack:
        apis = [Api(folder, url, name) for name in ("api-0", "api-1")]
        for api in apis:
            stack.callback(api.kill)
        sender = stack.enter_context(closing(Sender(apis)))
        ledger = stack.enter_context(closing(SqlLedger(url, fold=fold)))
        events = _events(services)
        for service in sorted({service for service, _ in events.values()}):
            sender.apply(service)
        sent = [event for event in events for _ in range(TIMES)]
        _send(sender, events, sent, apis, found)
        _send(sender, events, list(events), [], found)  # replayed, when all is over
        found.broken += _checked(sender, ledger, events)
        found.ends = Counter(stored.release.phase.value for stored in ledger.page(Filter(), EVERYTHING))
    found.happened += sender.counted + Counter({"deliveries": len(events)})
    found.seconds = time.monotonic() - begun
    return found


def _events(services: int) -> dict[str, tuple[str, bytes]]:
    """By their ids: the service that each names, and its body."""
    wanted = [(f"one-{number}", 1) if number % 4 else (f"several-{number}", VERSIONS) for number in range(services)]
    begun, found = datetime.now(UTC), {}
    for service, versions in wanted:
        for number in range(versions):
            event, version = f"{service}-{number}", f"1.{number}.0"
            data = {"service": service, "version": version, "image": f"registry.example/{service}:{version}"}
            body = json.dumps({
                "specversion": "1.0", "id": event, "source": SOURCE,
                "type": "delivery.release.requested.v1", "time": (begun + timedelta(seconds=number)).isoformat(),
                "data": {**data, "actor": "ann"},
            }).encode()  # fmt: skip
            found[event] = (service, body)
    return found


def _send(
    sender: Sender, events: dict[str, tuple[str, bytes]], sent: list[str], dying: Sequence[Api], found: Found
) -> None:
    """All of it in any order, several at once, while API processes die."""
    random.shuffle(sent)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(sender.send, event, events[event][1]) for event in sent]
        over = not dying
        while not over:
            time.sleep(random.uniform(*GAP))
            api = random.choice(dying)
            api.kill()
            api.start()
            found.happened["kill_api"] += 1
            over = all(job.done() for job in jobs)
        found.broken += [f"a delivery failed: {error!r}" for job in jobs if (error := job.exception()) is not None]


def _checked(sender: Sender, ledger: SqlLedger, events: dict[str, tuple[str, bytes]]) -> list[str]:
    """1, 13: one row for each delivery, answers that are alike, a release by one delivery and by no other."""
    rows = Counter(row.key for row in ledger.inbox(InboxState.DONE, EVERYTHING))
    stored = {str(one.release.id) for one in ledger.page(Filter(), EVERYTHING)}
    makers: Counter[str] = Counter()
    broken = []
    for event, (service, _) in events.items():
        answers = sender.answers.get(event, [])
        alike = {json.dumps(answer, sort_keys=True) for answer in answers}
        if len(answers) != TIMES + 1 or len(alike) != 1:
            broken.append(f"invariant 13: {event} was answered {len(answers)} times: {sorted(alike)}")
        if (left := rows[f"{SOURCE} {event}"]) != 1:
            broken.append(f"invariant 1: {event} left {left} rows")
        made = {str(answer["release"]["id"]) for answer in answers if answer["outcome"] == "release"}
        makers.update(made)
        if service.startswith("one-") and len(made) != 1:
            broken.append(f"invariant 13: {event} made {sorted(made)}")
    broken += [f"invariant 13: {one} was made by {count} deliveries" for one, count in makers.items() if count > 1]
    if stored != set(makers):
        broken.append(f"invariant 13: {sorted(stored ^ set(makers))} is stored or was answered, not both")
    return broken
