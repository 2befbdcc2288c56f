"""What a release waits for before its first stage is told wherever somebody looks, and no event is written for it."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.service import Workload
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.workloads import Need, Running
from tests.api.browser import Browser
from tests.api.world import SERVICE, ManualClock, World, bearer

OLGA = bearer("olga")
HTML = {"Accept": "text/html"}
PODS = "deployment checkout-1.4.2 has {} of 3 pods ready"


class Preparing:
    """A release of 1.4.2 whose workload is as it is told."""

    def __init__(self, http: TestClient, world: World) -> None:
        self._http, self._world = http, world
        http.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
        self._start("1.4.1")
        world.go(5)

    def begin(self) -> ReleaseId:
        self.release = self._start("1.4.2")
        self._world.go(3)
        return self.release

    def told(self) -> str:
        (waits,) = self._http.get(f"/v1/releases/{self.release}/explain", headers=OLGA).json()["waits_for"]
        return str(waits)

    @property
    def row(self) -> str:
        return self._world.ledger.rows("checkout")[0].due_why

    @property
    def events(self) -> list[str]:
        return [one.type for one in self._world.ledger.events(self.release)]

    def _start(self, version: str) -> ReleaseId:
        asked = {"service": "checkout", "version": version}
        return ReleaseId(self._http.post("/v1/releases", json=asked, headers=OLGA).json()["release"]["id"])


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(MemoryLedger(clock, fold), clock)


@pytest.fixture
def preparing(world: World) -> Iterator[Preparing]:
    with TestClient(world.app) as http:
        yield Preparing(http, world)


def _answers(world: World, monkeypatch: pytest.MonkeyPatch, running: Running) -> None:
    before = world.workloads.ensure

    def ensure(target: TargetId, workload: Workload, version: VersionRef, need: Need) -> Running:
        return running if version.version == "1.4.2" else before(target, workload, version, need)

    monkeypatch.setattr(world.workloads, "ensure", ensure)


def test_the_newest_reason_is_told_and_no_event_is_written_for_it(preparing, world, monkeypatch):
    with monkeypatch.context() as patch:
        _answers(world, patch, Running(False, looked_for=PODS.format(1)))
        preparing.begin()
        assert preparing.told() == f"the candidate being ready: {PODS.format(1)}"
        known = preparing.events
        _answers(world, patch, Running(False, looked_for=PODS.format(2)))
        world.go(30)
        assert preparing.told() == preparing.row == f"the candidate being ready: {PODS.format(2)}"
        assert preparing.events == known
    world.go(5)
    assert "pods" not in preparing.row
    assert "pods" not in preparing.told()


def test_what_others_said_is_kept_in_one_short_line(preparing, world, monkeypatch):
    _answers(world, monkeypatch, Running(False, looked_for="no\x00such\nthing \ud800 " + "x" * 1000))
    preparing.begin()
    assert preparing.row.startswith("the candidate being ready: no such thing xxx")
    assert preparing.row.isprintable()
    assert len(preparing.row) < 500


def test_it_is_on_the_page(preparing, world, monkeypatch):
    _answers(world, monkeypatch, Running(False, looked_for=PODS.format(1)))
    preparing.begin()
    browser = Browser(world)
    browser.sign_in("olga")
    page = browser.open(f"/releases/{preparing.release}", headers=HTML).text
    browser.http.close()
    assert PODS.format(1) in page


@pytest.mark.parametrize(
    ("error", "told", "end"),
    [
        (
            Refused("VirtualService shop/checkout: two routes"),
            "the workload is ready, but the mesh refused it: VirtualService shop/checkout: two routes",
            "the mesh refused the configuration: VirtualService shop/checkout: two routes",
        ),
        (
            Unavailable("istiod does not answer"),
            "the workload is ready, but the mesh cannot be reached: istiod does not answer",
            "the candidate did not appear: the workload is ready, but the mesh cannot be reached: "
            "istiod does not answer",
        ),
    ],
)
def test_a_mesh_that_does_not_take_the_version_is_no_missing_workload(preparing, world, monkeypatch, error, told, end):
    def publish(*_: object) -> bool:
        raise error

    monkeypatch.setattr(world.mesh, "publish", publish)
    preparing.begin()
    assert preparing.told() == f"the candidate being ready: {told}"
    world.go(700)
    shown = preparing._http.get(f"/v1/releases/{preparing.release}", headers=OLGA).json()
    assert (shown["state"], shown["cause"]["text"]) == ("failed_to_start", end)


def test_proxies_that_do_not_know_it_yet_are_no_missing_workload(preparing, world, monkeypatch):
    monkeypatch.setattr(world.mesh, "publish", lambda *_: False)
    preparing.begin()
    assert preparing.told() == ("the candidate being ready: the workload is ready, but not every proxy knows it yet")
