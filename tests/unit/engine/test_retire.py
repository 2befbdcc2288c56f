"""Retiring: when a version is stopped that gets no traffic any more, and what keeps it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.machine.evolve import fold
from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.traffic import Traffic
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused
from delivery.ports.rows import Row
from delivery.ports.workloads import always
from tests.api.world import SERVICE, ManualClock, World, bearer

CHECKOUT = TargetId("checkout@local")
WINDOW = 600
ADMIN = bearer("root")


class Observed(MemoryWorkloads):
    """Remembers what was stopped; something may happen just before."""

    stopped: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.stopped = []

    def retire(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool] = always
    ) -> None:
        super().retire(target, workload, version, still)
        self.stopped.append(version.version)


class Scene:
    """1.4.2 has just taken the place of 1.4.1, which stays for ten minutes."""

    def __init__(self, http: TestClient, world: World, workloads: Observed) -> None:
        self.http, self.world, self.workloads, self.clock = http, world, workloads, world.clock
        document = {**SERVICE, "workload": {"process": "checkout", "rollback_window": f"{WINDOW}s"}}
        self.post("services/checkout", document, put=True)
        self.begin("1.4.1")
        self.act(self.begin("1.4.2"), "promote")
        assert self.row.target.stable == VersionRef.of("1.4.2")

    @property
    def row(self) -> Row:
        row: Row = self.world.ledger.rows()[0]
        return row

    @property
    def retiring(self) -> list[str]:
        return [entry.version.version for entry in self.row.target.retiring]

    def post(self, path: str, body: Any, *, put: bool = False) -> Any:
        answer = self.http.request("PUT" if put else "POST", f"/v1/{path}", json=body, headers=ADMIN)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def begin(self, version: str) -> str:
        answer = self.post("releases", {"service": "checkout", "version": version})
        self.world.go(5)
        return str(answer["release"]["id"])

    def act(self, release: str, action: str) -> None:
        self.post(f"releases/{release}/{action}", {"reason": "test"})
        self.world.go(5)

    def edit(self, weight: int) -> None:
        """Somebody changes the route behind our back."""
        self.world.mesh.edit(CHECKOUT, Traffic(weight=weight))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    workloads, clock = Observed(), ManualClock()
    monkeypatch.setattr("tests.api.world.MemoryWorkloads", lambda: workloads)
    world = World(MemoryLedger(clock, fold), clock)
    with TestClient(world.app) as http:
        yield Scene(http, world, workloads)


def test_the_old_version_runs_until_its_window_is_over_and_is_stopped_once(scene: Scene) -> None:
    scene.world.go(WINDOW - 20)
    assert (scene.workloads.stopped, scene.retiring) == ([], ["1.4.1"])
    assert scene.row.due_why == "1.4.1 is retired"
    scene.world.go(40)
    assert (scene.workloads.stopped, scene.retiring) == (["1.4.1"], [])
    assert scene.row.due_at is None
    scene.world.go(WINDOW, step=20)
    assert scene.workloads.stopped == ["1.4.1"]


def test_a_candidate_that_was_turned_down_is_stopped_at_once(scene: Scene) -> None:
    scene.act(scene.begin("1.4.3"), "abort")
    assert (scene.workloads.stopped, scene.retiring) == (["1.4.3"], ["1.4.1"])


def test_a_version_that_is_in_use_again_is_kept(scene: Scene) -> None:
    rolled_back = scene.http.get("/v1/releases", params={"version": "1.4.2"}, headers=ADMIN).json()["releases"][0]
    scene.act(rolled_back["id"], "rollback")
    assert scene.row.target.stable == VersionRef.of("1.4.1")
    scene.world.go(2 * WINDOW, step=20)
    assert scene.workloads.stopped == ["1.4.2"]


def test_a_version_that_the_route_names_is_kept_until_it_does_not(scene: Scene) -> None:
    """Where foreign changes are left alone, somebody may still send users there."""
    policy = {**SERVICE, "policy": {"on_drift": "alert"}}
    policy["workload"] = {"process": "checkout", "rollback_window": f"{WINDOW}s"}
    scene.post("services/checkout", policy, put=True)
    scene.edit(50)
    scene.world.go(WINDOW + 60, step=5)
    assert (scene.workloads.stopped, scene.retiring) == ([], ["1.4.1"])
    assert scene.row.due_at is not None
    assert scene.row.due_at > scene.clock.now(), "it is asked again later, not all the time"
    scene.edit(100)
    scene.world.go(30)
    assert scene.workloads.stopped == ["1.4.1"]


def test_a_cluster_that_does_not_answer_is_asked_again(scene: Scene) -> None:
    scene.world.go(WINDOW - 20)
    scene.workloads.down = True
    scene.world.go(60)
    assert (scene.workloads.stopped, scene.retiring, scene.row.quarantined) == ([], ["1.4.1"], None)
    scene.workloads.down = False
    scene.world.go(30)
    assert scene.workloads.stopped == ["1.4.1"]


def test_what_may_not_be_taken_away_keeps_no_release_from_beginning(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right that is missing is no fault of the target's: it is told, and tried again now and then."""

    def forbidden(*_: Any) -> None:
        raise Refused('deployments.apps "checkout-1-4-1" is forbidden')

    scene.world.go(WINDOW - 20)
    monkeypatch.setattr(scene.workloads, "retire", forbidden)
    scene.world.go(120)
    assert (scene.retiring, scene.row.quarantined, scene.row.failures) == (["1.4.1"], None, 0)
    refused = [fields for name, fields in scene.world.telemetry.lines if name == "refused"]
    assert 1 <= len(refused) <= 12, "not all the time"
    assert "is forbidden" in str(refused[0]["error"])
    scene.begin("1.4.3")
    assert scene.row.target.active is not None
    monkeypatch.undo()
    scene.world.go(30)
    assert scene.retiring == []


def test_a_service_that_was_deleted_and_comes_back_can_be_released_again(scene: Scene) -> None:
    """Whoever changes its route meanwhile wakes its target, which does not know where it lives any more."""
    assert scene.http.delete("/v1/services/checkout", headers=ADMIN).status_code == 204
    scene.world.go(WINDOW, step=20)
    for weight in (50, 100):
        scene.edit(weight)
        scene.world.go(60)
    assert (scene.retiring, scene.row.quarantined) == (["1.4.1"], None)
    scene.post("services/checkout", SERVICE, put=True)
    scene.begin("1.4.3")
    assert scene.row.target.active is not None


def test_whoever_lost_the_target_meanwhile_stops_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person has decided since it was read: the version may be wanted again."""
    withdraw = scene.world.mesh.withdraw

    def overtaken(*arguments: Any) -> None:
        withdraw(*arguments)
        monkeypatch.undo()
        scene.post("services/checkout/pause", {"reason": "an incident"})

    scene.world.go(WINDOW - 20)
    monkeypatch.setattr(scene.world.mesh, "withdraw", overtaken)
    scene.world.go(40)
    assert (scene.workloads.stopped, scene.retiring) == ([], ["1.4.1"])


def test_nothing_is_stopped_while_a_person_has_the_routes(scene: Scene) -> None:
    scene.post("services/checkout/pause", {"reason": "an incident"})
    scene.world.go(WINDOW + 60, step=5)
    assert (scene.workloads.stopped, scene.retiring, scene.row.due_at) == ([], ["1.4.1"], None)
    scene.post("services/checkout/resume", {"reason": ""})
    scene.world.go(5)
    assert scene.workloads.stopped == ["1.4.1"]


def test_a_fault_of_ours_is_tried_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    retire, left = scene.workloads.retire, [3]

    def broken(*arguments: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise KeyError("workload")
        retire(*arguments)

    scene.world.go(WINDOW - 20)
    monkeypatch.setattr(scene.workloads, "retire", broken)
    scene.world.go(40)
    assert (scene.workloads.stopped, scene.retiring, scene.row.failures) == (["1.4.1"], [], 0)
