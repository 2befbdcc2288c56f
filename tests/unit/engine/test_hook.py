"""Hooks through the whole engine over memory adapters, and as people see them through the API."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.engine.fence import Fence
from delivery.machine.evolve import fold
from delivery.model.event import CauseKind, Event, HookBegun, HookEnded, Phase
from delivery.model.ids import TargetId
from delivery.model.version import VersionRef
from tests.api.world import SERVICE, ManualClock, World, bearer

CHECKOUT = TargetId("checkout@local")
MIGRATE = {"http": "platform", "path": "/migrate", "before": "start", "timeout": "1m"}


class Hooked(World):
    """Checkout, whose 1.4.1 was its first version."""

    def __init__(self, **hooks: Any) -> None:
        clock = ManualClock()
        super().__init__(MemoryLedger(clock, fold), clock)
        self.send("PUT", "/v1/services/checkout", **SERVICE)
        self.start("1.4.1")
        self.send("PUT", "/v1/services/checkout", **{**SERVICE, "hooks": hooks})
        self.started = self.start("1.4.2")

    def send(self, method: str, path: str, **body: Any) -> Any:
        with TestClient(self.app) as http:
            answer = http.request(method, path, json=body or None, headers=bearer("olga"))
        assert answer.status_code < 300, answer.text
        return answer.json()

    def start(self, version: str) -> str:
        answer = self.send("POST", "/v1/releases", service="checkout", version=version)
        self.go(5)
        return str(answer["release"]["id"])

    @property
    def release(self) -> Any:
        return self.ledger.release(self.started).release

    @property
    def shown(self) -> Any:
        return self.send("GET", f"/v1/releases/{self.started}")

    def explained(self) -> str:
        return str(self.send("GET", f"/v1/releases/{self.started}/explain")["text"])

    def lines(self) -> list[str]:
        return [one["text"] for one in self.send("GET", f"/v1/releases/{self.started}/events")["events"]]

    def history(self) -> list[Event]:
        return [stored.event for stored in self.ledger.events(self.started, limit=1000)]

    def key(self, attempt: int = 1) -> str:
        return f"{self.started}-migrate-start-{attempt}"


def test_it_is_called_with_what_it_is_about_and_nothing_is_started_before() -> None:
    world = Hooked(migrate=MIGRATE)
    (call,) = world.hooks.made.values()
    assert (call.key, call.target, call.params) == (world.key(), CHECKOUT, {"host": "platform", "path": "/migrate"})
    assert call.begun == world.release.hooks[0].begun
    assert call.facts == {
        "hook": "migrate",
        "step": "start",
        "stage": None,
        "attempt": 1,
        "service": "checkout",
        "cluster": "local",
        "release": {"id": world.started, "number": 2, "actor": "olga"},
        "version": "1.4.2",
        "image": None,
        "stable_version": "1.4.1",
        "cause": None,
    }
    workloads = world.workloads
    assert isinstance(workloads, MemoryWorkloads)
    assert not workloads.runs(CHECKOUT, VersionRef.of("1.4.2").identity)
    world.hooks.ends(world.key(), True, "4 migrations")
    world.go(10)
    assert workloads.runs(CHECKOUT, VersionRef.of("1.4.2").identity)
    assert world.release.phase is Phase.BAKING


def test_people_see_what_it_waits_for_and_what_it_said() -> None:
    world = Hooked(migrate={**MIGRATE, "retries": 1})
    assert "nothing of the candidate is started before the hooks at the start" in world.explained().lower()
    assert "Hook migrate (platform/migrate) is called before anything of the candidate is started: it runs since" in (
        world.explained()
    )
    assert "It waits for hook migrate." in world.explained()
    world.hooks.ends(world.key(), False, "the database is busy")
    world.go(5)
    assert "attempt 1 of 2 failed: the database is busy" in world.explained()
    assert "the next attempt of hook migrate" in world.explained()
    world.hooks.ends(world.key(2), True, "4 migrations")
    world.go(15)
    (hook,) = world.shown["hooks"]
    assert (hook["hook"], hook["when"], hook["stage"], hook["attempt"]) == ("migrate", "start", None, 2)
    assert (hook["state"], hook["detail"]) == ("passed", "4 migrations")
    assert hook["begun_at"] <= hook["ended_at"]
    told = [line for line in world.lines() if "hook" in line]
    assert told == [
        "hook migrate is called before anything of the candidate is started",
        "hook migrate failed: the database is busy; it is called again",
        "hook migrate is called before anything of the candidate is started (attempt 2)",
        "hook migrate succeeded (attempt 2): 4 migrations",
    ]


def test_one_that_cannot_be_reached_is_asked_until_its_time_is_over_and_people_read_why() -> None:
    world = Hooked()
    world.hooks.down = True
    world.send("PUT", "/v1/services/checkout", **{**SERVICE, "hooks": {"migrate": MIGRATE}})
    world.send("POST", f"/v1/releases/{world.started}/abort", reason="a test")
    world.go(5)
    world.started = world.start("1.4.3")
    world.go(40)
    assert not world.release.phase.closed
    world.go(30)
    assert world.shown["state"] == "failed_to_start"
    assert world.release.cause.kind is CauseKind.HOOK_FAILED
    assert world.release.cause.reason == "migrate: the hooks cannot be reached"
    assert world.shown["cause"]["text"] == "a hook failed: migrate: the hooks cannot be reached"


def test_what_is_not_configured_any_more_fails_by_name() -> None:
    world = Hooked()
    world.hooks.forget("", "the server's configuration has no [hooks.platform] any more")
    world.send("PUT", "/v1/services/checkout", **{**SERVICE, "hooks": {"migrate": MIGRATE}})
    world.send("POST", f"/v1/releases/{world.started}/abort", reason="a test")
    world.go(5)
    world.started = world.start("1.4.3")
    assert world.release.cause.reason == "migrate: the server's configuration has no [hooks.platform] any more"


def test_an_abort_is_at_zero_while_it_still_runs() -> None:
    world = Hooked(smoke={"http": "platform", "during": "canary 5%"})
    world.go(10)
    traffic = world.mesh.traffic(CHECKOUT)
    assert traffic is not None
    assert (traffic.weight, world.release.hooks[0].state.value) == (5, "running")
    world.send("POST", f"/v1/releases/{world.started}/abort", reason="a test")
    world.go(2)
    assert world.release.phase is Phase.ROLLED_BACK
    assert world.shown["hooks"][0]["state"] == "left"


def test_it_is_asked_often_and_recorded_twice() -> None:
    world = Hooked(migrate={**MIGRATE, "timeout": "10m"})
    world.go(120)
    world.hooks.ends(world.key(), True)
    world.go(5)
    events = [event for event in world.history() if isinstance(event, HookBegun | HookEnded)]
    assert [type(event) for event in events] == [HookBegun, HookEnded]
    assert len(world.hooks.made) == 1


def test_whoever_lost_the_target_calls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fence, "owns", lambda *_: False)
    world = Hooked(migrate=MIGRATE)
    world.go(20)
    assert world.hooks.made == {}


def test_the_plan_tells_each_hook_before_anything_happens() -> None:
    world = Hooked(migrate={**MIGRATE, "on_failure": "ask"}, tell={"http": "platform", "after": "promoted"})
    plan = world.send("POST", "/v1/plan", service="checkout")
    assert plan["hooks"] == [
        "hook migrate (platform/migrate): before anything of the candidate is started; at most 1m; "
        "a failure asks people",
        "hook tell (platform/): once everybody has the candidate; at most 5m; a failure is told",
    ]
