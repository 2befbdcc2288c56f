"""Releases in every state that a page can show: the real engine over memory adapters, in which time stands still."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.testclient import TestClient

from api.oidc.setup import Identity
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.mesh.memory import Mood
from delivery.adapters.metrics.memory import Behaviour
from delivery.machine.evolve import fold
from delivery.model.ids import target_id
from delivery.model.version import Backend, VersionRef
from delivery.ports.workloads import Running
from tests.api.world import SERVICE, ManualClock, World, bearer

OLGA, OTTO, ADAM = bearer("olga"), bearer("otto"), bearer("adam")
TARGET = target_id("checkout", "local")
CANARY: Mapping[str, Any] = {
    **SERVICE,
    "strategies": [{"canary": {"steps": ["1%", "5%", "25%"], "bake": "2m", "gates": ["errors", "latency", "success"]}}],
    "gates": {
        "errors": {"ratio": "http_errors", "worse_than": 1.1, "objective": "2%"},
        "latency": {"latency": "http_duration", "above": ["250ms"], "worse_than": 1.2, "warm_up": "0s"},
        "success": {"threshold": "http_success_rate", "at_least": "97%", "over": "1m", "min_requests": 50},
    },
}
APPROVED = {"approval": {"before": "25%", "from": "sre", "count": 1, "expires": "4h"}}
GUARDED = {**CANARY, "strategies": [{"canary": {**CANARY["strategies"][0]["canary"], **APPROVED}}]}
CHAIN = {
    **CANARY,
    "strategies": [
        {"dark_launch": {"mirror": "10%", "bake": "2m", "gates": ["errors", "latency"]}},
        {"ab_test": {"match": [{"headers": {"x-beta": {"exact": "true"}}}], "bake": "2m"}},
        {"canary": {"steps": ["5%", "50%"], "bake": "2m", "gates": ["errors", "latency"], "sticky": {"cookie": "rel"}}},
    ],
}
FREEZE = {"freeze": [{"cron": "0 0 * * *", "tz": "Europe/Berlin", "for": "20h"}]}


class Scene:
    """A world with a service whose version 1.4.1 is stable and serves users, and what people do there."""

    def __init__(self, identity: Identity | None = None) -> None:
        clock = ManualClock()
        self.world = World(MemoryLedger(clock, fold), clock, identity=identity or Identity())
        self.release = ""

    def begin(self, http: TestClient, service: Mapping[str, Any] = CANARY, rate: float = 400.0) -> None:
        self.http = http
        self.apply(service)
        self.start("1.4.1")
        self.world.go(10)
        for version in ("1.4.1", "1.4.2", "1.4.3"):
            self.behaves(version, Behaviour(error_rate=0.008, slow_rate=0.03, slow_ms=300))
        self.world.load(TARGET, rate)

    def apply(self, service: Mapping[str, Any]) -> None:
        answer = self.http.put("/v1/services/checkout", json=service, headers=OLGA)
        assert answer.is_success, answer.text

    def start(self, version: str, **more: Any) -> str:
        origin = {"image": f"ghcr.io/acme/checkout@sha256:{version.replace('.', '')}9f2c", "reason": "sprint 41"}
        body = {"service": "checkout", "version": version, **origin, **more}
        answer = self.http.post("/v1/releases", json=body, headers=OLGA)
        assert answer.status_code == 201, answer.text
        self.release = answer.json()["release"]["id"]
        return self.release

    def act(self, action: str, who: Mapping[str, str], **body: Any) -> None:
        answer = self.http.post(f"/v1/releases/{self.release}/{action}", json=body, headers=dict(who))
        assert answer.is_success, answer.text

    def stages(self) -> list[str]:
        shown = self.http.get(f"/v1/releases/{self.release}", headers=OLGA).json()
        return [stage["state"] for stage in shown["stages"]]

    def behaves(self, version: str, behaviour: Behaviour) -> None:
        self.world.metrics.behave(Backend("checkout", _ref(version)).name, behaviour)

    def proxies(self, mood: Mood) -> None:
        for proxy in self.world.mesh.proxies.values():
            proxy.mood = mood


def _ref(version: str) -> VersionRef:
    return VersionRef.of(version, f"ghcr.io/acme/checkout@sha256:{version.replace('.', '')}9f2c")


def queued(scene: Scene) -> None:
    scene.start("1.4.2")
    scene.world.go(60)
    scene.start("1.4.3")
    scene.world.go(2)


def preparing(scene: Scene) -> None:
    scene.world.workloads.script(TARGET, _ref("1.4.2").identity, Running(False))
    scene.start("1.4.2")
    scene.world.go(20)


def shifting(scene: Scene) -> None:
    scene.start("1.4.2")
    scene.world.go(110)
    scene.proxies(Mood.LAGGING)
    while scene.stages()[1] == "pending":
        scene.world.go(1)
    scene.world.go(8)


def baking(scene: Scene) -> None:
    scene.start("1.4.2")
    scene.world.go(200)


def chained(scene: Scene) -> None:
    scene.apply(CHAIN)
    scene.start("1.4.2")
    scene.world.go(25)


def waiting_for_approval(scene: Scene) -> None:
    scene.apply(GUARDED)
    scene.start("1.4.2")
    scene.world.go(300)


def paused(scene: Scene) -> None:
    baking(scene)
    scene.act("pause", ADAM, reason="a customer reports slow checkouts, looking into it")
    scene.world.go(90)


def frozen(scene: Scene) -> None:
    baking(scene)
    scene.apply({**CANARY, "policy": FREEZE})
    scene.world.go(100)


def no_data(scene: Scene) -> None:
    baking(scene)
    scene.world.metrics.down = True
    scene.world.go(160)


def rolling_back(scene: Scene) -> None:
    scene.start("1.4.2")
    scene.world.go(150)
    scene.act("abort", ADAM, reason="checkout is slow for everybody in the beta")
    scene.proxies(Mood.LAGGING)
    scene.world.go(8)


def rolled_back(scene: Scene) -> None:
    scene.start("1.4.2")
    scene.world.go(140)
    scene.behaves("1.4.2", Behaviour(error_rate=0.06, slow_rate=0.05, slow_ms=300))
    scene.world.go(120)


def promoted(scene: Scene) -> None:
    scene.start("1.4.2")
    scene.world.go(500)


def superseded(scene: Scene) -> None:
    old = scene.start("1.4.2")
    scene.world.go(150)
    scene.start("1.4.3", urgent=True)
    scene.world.go(10)
    scene.release = old


def failed_to_start(scene: Scene) -> None:
    scene.world.workloads.breaks("checkout", "exit code 1: DATABASE_URL is not set")
    scene.start("1.4.2")
    scene.world.go(30)


def in_hand(scene: Scene) -> None:
    baking(scene)
    body = {"reason": "shifting by hand, incident 7"}
    assert scene.http.post("/v1/services/checkout/pause", json=body, headers=OTTO).is_success
    scene.world.go(20)


SCENES: Mapping[str, tuple[Callable[[Scene], None], str]] = {
    "queued": (queued, "queued"),
    "preparing": (preparing, "preparing"),
    "shifting": (shifting, "canary 5% (2/3)"),
    "baking": (baking, "canary 5% (2/3)"),
    "chained": (chained, "dark_launch 10% (1/4)"),
    "waiting_for_approval": (waiting_for_approval, "waits for approval"),
    "paused": (paused, "paused"),
    "frozen": (frozen, "frozen"),
    "no_data": (no_data, "no data"),
    "rolling_back": (rolling_back, "rolling back"),
    "rolled_back": (rolled_back, "rolled back"),
    "promoted": (promoted, "promoted"),
    "superseded": (superseded, "superseded"),
    "failed_to_start": (failed_to_start, "failed to start"),
    "in_hand": (in_hand, "routes in hand"),
}
"""By name: what happens, and the words of a badge that the page then has."""
