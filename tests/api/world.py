"""The API over the real engine: memory mesh, workloads and metrics, and either ledger. Time stands still by default."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from api.app import create_app
from api.oidc.setup import Identity
from api.people import People
from api.services import AppServices
from delivery import registry, wiring
from delivery.adapters.catalog.yaml_file import read_text
from delivery.adapters.hints.memory import MemoryHints
from delivery.adapters.hooks.memory import MemoryHooks
from delivery.adapters.ids import UlidIds
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.adapters.metrics.memory import Behaviour, MemoryMetrics
from delivery.adapters.slots import InlineSlots
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.adapters.workloads.deployer_memory import MemoryDeployer
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.catalog.check import check
from delivery.catalog.freeze import frozen
from delivery.engine.book import Book
from delivery.engine.cluster import Cluster
from delivery.engine.measure import Measurer
from delivery.engine.parts import Parts
from delivery.engine.reread import Rereader
from delivery.model.ids import SECOND, Micros
from delivery.model.outward import Subscriber
from delivery.model.role import Role
from delivery.model.version import Backend, VersionRef
from delivery.ports.metrics import Subject
from delivery.settings import Person, Settings, parse
from delivery.strategies.plan import compile_plan
from delivery.wiring import SlackApp

NOW = Micros(1_795_514_531_000_000)
BASE = "https://delivery.example.org"
SECRET = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"an older secret of 24 bytes").decode()
ALERTS = "bearer a-token-of-alertmanager"
GITHUB = "a-secret-of-github"
ARGOCD = "bearer a-token-of-argocd-here"
PEOPLE = {
    "vera": Role.VIEWER,
    "adam": Role.APPROVER,
    "olga": Role.OPERATOR,
    "otto": Role.OPERATOR,
    "root": Role.ADMIN,
}
SLACK = tuple((person, f"U{person.upper()}", role) for person, role in PEOPLE.items())
SERVICE: Mapping[str, Any] = {
    "service": "checkout",
    "cluster": "local",
    "owners": ["team-payments"],
    "workload": {"process": "checkout"},
    "tick": "10s",
    "strategies": [{"canary": {"steps": ["5%", "50%"], "bake": "1m", "gates": ["errors"]}}],
    "gates": {"errors": {"ratio": "http_errors", "worse_than": 1.1, "min_requests": 50}},
}


def settings() -> Settings:
    """Two clusters, one webhook source with two secrets, and a token for each role."""
    memory = {part: {"kind": "memory"} for part in ("mesh", "workloads", "metrics")}
    tokens = [
        {
            "name": f"{person}-laptop",
            "principal": person,
            "role": role.value,
            "groups": list(groups(person)),
            "sha256": sha256(secret(person).encode()).hexdigest(),
        }
        for person, role in PEOPLE.items()
    ]
    document = {
        "server": {"public_url": BASE},
        "database": {"url": "sqlite://"},
        "clusters": {
            "local": {**memory, "namespaces": ["shop", "pay"], "deployers": {"argocd": {"kind": "memory"}}},
            "other": {**memory, "namespaces": ["shop"]},
        },
        "processes": {"checkout": {"command": ["checkout"]}},
        "sources": {
            "ci": {"dialect": "cloudevents", "secrets": [OLD_SECRET, SECRET]},
            "alerts": {"dialect": "alertmanager", "secrets": [ALERTS]},
            "github": {"dialect": "github", "secrets": [GITHUB]},
            "argocd": {"dialect": "argocd", "secrets": [ARGOCD]},
        },
        "hooks": {"platform": {"url": "https://hooks.example.org", "secrets": [SECRET]}},
        "tokens": tokens,
        "notify": {"slack": {"kind": "slack", "token": "xoxb-test"}},
    }
    return parse(document, {})


def groups(person: str) -> tuple[str, ...]:
    return ("sre",) if person in ("adam", "root") else ()


def secret(person: str) -> str:
    return f"token-of-{person}"


def bearer(person: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret(person)}"}


class ManualClock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> Micros:
        return self.time

    def monotonic(self) -> float:
        return self.time / SECOND

    def pause(self, seconds: float) -> None:
        self.time = Micros(self.time + int(seconds * SECOND))


@dataclass
class World:
    """`http` is the API. `go` lets the workers work while time passes; `load` is what users send."""

    ledger: Any
    clock: ManualClock = field(default_factory=ManualClock)
    hints: MemoryHints = field(default_factory=MemoryHints)
    slack: SlackApp | None = None
    identity: Identity = field(default_factory=Identity)
    subscribers: tuple[Subscriber, ...] = ()

    def __post_init__(self) -> None:
        self.settings = settings()
        self.metrics = MemoryMetrics(self.clock)
        self.mesh = MemoryMesh()
        self.argocd = MemoryDeployer()
        self.hooks = MemoryHooks()
        clusters = {
            name: Cluster(
                name,
                self.mesh if name == "local" else MemoryMesh(),
                MemoryWorkloads(),
                self.metrics,
                {"argocd": self.argocd} if name == "local" else {},
                {"http": self.hooks},
            )
            for name in self.settings.clusters
        }
        self.engine_clusters: Any = clusters
        self.workloads: Any = clusters["local"].workloads
        book = Book(
            self.ledger,
            self.clock,
            partial(wiring.parse, settings=self.settings),
            compile_plan,
            frozen,
            self.subscribers,
        )
        self.telemetry = MemoryTelemetry()
        parts = Parts(self.ledger, clusters, book, self.clock, UlidIds(), self.hints, InlineSlots(), self.telemetry)
        engine = wiring.assemble(parts)
        self.drain, self.inbox = engine.drain, engine.inbox
        self.rereaders = [Rereader(parts, cluster, engine.inbox, "w1") for cluster in clusters.values()]
        offers = wiring.offers(self.settings)
        self.services = AppServices(
            ledger=self.ledger,
            history=self.ledger,
            access=self.ledger,
            retention=self.ledger,
            erasure=self.ledger,
            inbox=engine.inbox,
            book=book,
            clock=self.clock,
            hints=self.hints,
            sources=wiring.sources(self.settings),
            read=read_text,
            check=partial(
                check, strategies=registry.STRATEGIES, gates=registry.GATES, compile_plan=compile_plan, offers=offers
            ),
            judge=Measurer(wiring.build_gate).judgements,
            tokens=self.settings.tokens,
            clusters=tuple(self.settings.clusters),
            public_url=self.settings.server.public_url,
            slack=self.slack,
            identity=self.identity,
            people=People(
                Person(principal=person, slack=(user,), logins=(f"{person}-acme",), role=role, groups=groups(person))
                for person, user, role in SLACK
            ),
        )
        self.app = create_app(self.services)

    def go(self, seconds: float, step: float = 1.0) -> None:
        """Lets so much time pass, with a drain in each step."""
        for _ in range(int(seconds / step)):
            self.clock.pause(step)
            self.metrics.advance()
            self.drain.run(5.0)
            for one in self.rereaders:
                one.run(5.0)

    def fails(self, version: str, rate: float) -> None:
        """From now on so much of what this version of checkout answers is an error."""
        backend = Backend("checkout", VersionRef.of(version))
        self.metrics.behave(backend.name, Behaviour(error_rate=rate))

    def load(self, target: str, rate: float = 100.0) -> None:
        """Users send `rate` requests a second to a target from now on."""
        service = target.partition("@")[0]

        def shares() -> Mapping[Subject, float]:
            row = next(row for row in self.ledger.rows(service) if row.target.id == target)
            traffic = self.mesh.traffic(row.target.id)
            running = self.ledger.release(row.target.active) if row.target.active else None
            if running is None or running.release.bound is None or running.release.bound.stable is None:
                return {}
            bound = running.release.bound
            weight = (traffic.weight if traffic else 0) / 100
            stable, candidate = Backend(service, bound.stable), Backend(service, bound.candidate)
            return {Subject(row.target.id, stable): 1 - weight, Subject(row.target.id, candidate): weight}

        self.metrics.drive(target, rate, shares)  # type: ignore[arg-type]


def signed(
    data: Mapping[str, Any] | bytes, key: str = "gh-1", at: Micros | None = None, secret: str = SECRET
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a signed event; made here anew, so that signer and verifier do not share a mistake."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    seconds = str((NOW if at is None else at) // SECOND)
    key_bytes = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key_bytes, b".".join((key.encode(), seconds.encode(), body)), "sha256")
    headers = {
        "webhook-id": key,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/cloudevents+json",
    }
    return headers, body


def event(version: str = "1.4.2", key: str = "gh-1", **changes: Any) -> dict[str, Any]:
    """A release event as CI sends it; `changes` are fields of its data, None takes one out."""
    outer: dict[str, Any] = {name: changes.pop(name) for name in ("time", "type", "source") if name in changes}
    data = {"service": "checkout", "cluster": "local", "version": version, "actor": "ci-alice", **changes}
    return {
        "specversion": "1.0",
        "id": key,
        "source": "https://ci.example.org/checkout",
        "type": "delivery.release.requested.v1",
        "time": "2026-11-24T10:02:11Z",
        "data": {name: value for name, value in data.items() if value is not None},
        **outer,
    }
