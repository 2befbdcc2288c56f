"""The whole service over the testbed: API, workers, Valkey, a ledger; people and CI speak to its HTTP API."""

import dataclasses
import hashlib
import json
import os
import socket
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.sandbox.configuration import write_private
from delivery.sandbox.ports import HOST, free_port
from delivery.sandbox.valkey import LocalValkey
from delivery.sources.signing import sign
from tests.cluster.shop import NAME
from tests.cluster.testbed.cluster import GATEWAY, Cluster
from tests.cluster.testbed.pod_life import ROOT
from tests.cluster.testbed.process import Process, wait_until

Json = dict[str, Any]
CLUSTER = "testbed"
"""What service files call the cluster."""
PEOPLE = {"alice": "operator", "bob": "admin"}
SOURCE = "ci"
START_SECONDS = 60.0
_SECRET = "whsec_" + b64encode(b"a secret of the tests, no more").decode()
_OURS = ("DELIVERY_", "CELERY_")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """`kubeconfig`, another than the testbed's own: through a fault proxy, say. `database` is a URL, SQLite if none.
    `tables` are added to the cluster's, by their names, `deployers.git` say: another table, or more keys of one."""

    namespace: str
    kubeconfig: Path | None = None
    database: str | None = None
    tables: Mapping[str, Mapping[str, object]] = dataclasses.field(default_factory=dict)


class Whole:
    """Starts nothing by being made. Close it: nothing of it is left then."""

    def __init__(self, cluster: Cluster, folder: Path, wanted: Wanted) -> None:
        self.cluster = cluster
        self.folder = folder
        self.namespace = wanted.namespace
        self.tables = wanted.tables
        self._port = free_port()
        self._valkey = LocalValkey(folder / "valkey", free_port(taken=(self._port,)))
        self.url = f"http://{HOST}:{self._port}"
        self.database = wanted.database or f"sqlite:///{folder / 'delivery.db'}"
        self._kubeconfig = wanted.kubeconfig or cluster.kubeconfig
        self._parts: list[Process] = []
        self.api: Process | None = None
        self.workers: dict[str, Process] = {}
        self._http = httpx.Client(base_url=self.url, timeout=20.0)

    @property
    def broker(self) -> str:
        return self._valkey.url

    def start(self, workers: tuple[str, ...] = ("w1",)) -> None:
        """Returns when the API answers and every worker has been heard of."""
        upgrade(self.database)
        self._parts.append(Process("valkey", self._valkey.command(), self.folder / "valkey.log"))
        self._parts[-1].wait(self._valkey.answers, START_SECONDS)
        self.start_api()
        for name in workers:
            self.start_worker(name)

    def start_api(self) -> None:
        """Also in the place of one that has ended: at the same address."""
        command = ("-m", "uvicorn", "api.main:app", "--factory", "--host", HOST, "--port", str(self._port))
        self.api = self._python("api", *command, "--no-access-log", "--timeout-graceful-shutdown", "2")
        self.api.wait(self._answers, START_SECONDS)

    def start_worker(self, name: str, kubeconfig: Path | None = None) -> None:
        """A worker of the cluster, of which there may be several, each with its own way to the Kubernetes API."""
        before = self._heard(name)
        command = ("-m", "workers.main", "--name", name, "--clusters", CLUSTER)
        self.workers[name] = self._python(name, *command, kubeconfig=kubeconfig)
        self.workers[name].wait(lambda: self._heard(name) > before, START_SECONDS)

    def check(self) -> None:
        """Raises CannotRun where a part of it, or of the testbed, has ended."""
        self.cluster.check()
        for process in self._processes():
            process.check()

    def close(self) -> None:
        self._http.close()
        for process in reversed(self._processes()):
            process.stop()

    def _processes(self) -> list[Process]:
        """In the order in which they were started."""
        return [*self._parts, *([self.api] if self.api else []), *self.workers.values()]

    # --- what people and CI say ---

    def apply(self, service: str, text: str) -> None:
        """Applies a service file."""
        headers = {"content-type": "application/yaml"}
        self._call("PUT", f"/v1/services/{service}", "alice", content=text, headers=headers)

    def deliver(self, service: str, version: str, image: str, **more: Any) -> Json:
        """The signed event of CI: a version is there."""
        event, now = f"ci-{uuid4().hex}", datetime.now(UTC)
        data = {"service": service, "version": version, "image": image, "actor": "alice", **more}
        body = json.dumps({
            "specversion": "1.0", "id": event, "source": "https://ci.example.org/shop",
            "type": "delivery.release.requested.v1", "time": now.isoformat(), "data": data,
        }).encode()  # fmt: skip
        headers = sign(_SECRET, event, int(now.timestamp()), body)
        headers["content-type"] = "application/cloudevents+json"
        return self._call("POST", f"/v1/webhooks/{SOURCE}", None, content=body, headers=headers)

    def start_release(self, version: str, service: str = NAME, **more: Any) -> str:
        """CI has a new version: the id of the release that it starts or that waits."""
        answer = self.deliver(service, version, f"registry.example/{service}:{version}", **more)
        assert answer["outcome"] == "release", answer
        return str(answer["release"]["id"])

    def say(self, release: str, action: str, who: str = "bob", **more: Any) -> Json:
        """A person's word to a release: abort, pause, resume, approve, promote, rollback."""
        path = f"/v1/releases/{release}/{action}"
        return self._call(
            "POST", path, who, json={"reason": "a test", **more}, headers={"idempotency-key": uuid4().hex}
        )

    def get(self, path: str) -> Json:
        return self._call("GET", path, "alice")

    def release(self, release: str) -> Json:
        return self.get(f"/v1/releases/{release}")

    def events(self, release: str) -> list[Json]:
        """All of its history."""
        found: list[Json] = []
        following: int | None = 0
        while following is not None:
            page = self.get(f"/v1/releases/{release}/events?after={following}")
            found, following = found + page["events"], page["next"]
        return found

    def _call(self, method: str, path: str, who: str | None, **arguments: Any) -> Json:
        headers = dict(arguments.pop("headers", {}))
        if who is not None:
            headers["authorization"] = f"Bearer {_token(who)}"
        answer = self._http.request(method, path, headers=headers, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json() if answer.content else {}
        return found

    def _python(self, name: str, *arguments: str, kubeconfig: Path | None = None) -> Process:
        config = self.folder / f"{name}.toml"
        write_private(config, _settings(self, kubeconfig or self._kubeconfig))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        kept |= {"DELIVERY_CONFIG": str(config), "PYTHONUNBUFFERED": "1"}
        return Process(name, [sys.executable, *arguments], self.folder / f"{name}.log", env=kept, cwd=ROOT)

    def _answers(self) -> bool:
        asked = urllib.request.Request(f"{self.url}/v1/releases?per_page=1")
        asked.add_header("authorization", f"Bearer {_token('alice')}")
        try:
            with urllib.request.urlopen(asked, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _heard(self, worker: str) -> int:
        ledger = SqlLedger(self.database, fold=fold)
        try:
            return ledger.workers().get(f"{worker}@{socket.gethostname()}", 0)
        finally:
            ledger.close()

    def until(self, what: str, condition: Any, seconds: float = 60.0) -> None:
        wait_until(what, condition, seconds, self.check)


def _token(who: str) -> str:
    return f"{who}-of-the-tests"


def _settings(whole: Whole, kubeconfig: Path) -> str:
    testbed = whole.cluster
    access = {"kubeconfig": str(kubeconfig)}
    beside: dict[str, Mapping[str, object]] = {
        "mesh": {"kind": "istio", **access, **_proof(testbed)},
        "workloads": {"kind": "kubernetes", **access},
        "metrics": {"kind": "prometheus", "url": testbed.prometheus.url, "template": "istio_envoy"},
        "jobs": {"kind": "kubernetes", "templates": ["checkout-*"], **access},
    }
    for name, more in whole.tables.items():
        beside[name] = {**beside.get(name, access), **more}
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("[server]", {"public_url": whole.url, "listen": whole.url.removeprefix("http://")}),
        ("[database]", {"url": whole.database}),
        ("[broker]", {"url": whole.broker}),
        (f"[clusters.{CLUSTER}]", {"namespaces": [whole.namespace]}),
        *((f"[clusters.{CLUSTER}.{name}]", table) for name, table in beside.items()),
        (f"[sources.{SOURCE}]", {"dialect": "cloudevents", "secrets": [_SECRET]}),
        *(("[[tokens]]", _person(name, role)) for name, role in PEOPLE.items()),
    ]
    return "\n".join(_table(head, values) for head, values in tables)


def _proof(testbed: Cluster) -> Mapping[str, object]:
    """Where the mesh asks what the proxies run."""
    return {
        "gateways": {GATEWAY: {"addresses": [f"{HOST}:{testbed.gateway.port}"]}},
        "istiod": {"addresses": [f"{HOST}:{testbed.istiod.debug}"]},
    }


def _person(name: str, role: str) -> Mapping[str, object]:
    digest = hashlib.sha256(_token(name).encode()).hexdigest()
    return {"name": name, "principal": name, "role": role, "groups": ["sre"], "sha256": digest}


def _table(head: str, values: Mapping[str, object]) -> str:
    return "\n".join([head, *(f"{key} = {_toml(value)}" for key, value in values.items()), ""])


def _toml(value: object) -> str:
    """JSON's strings, numbers and lists are TOML's too; its objects are not."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)
