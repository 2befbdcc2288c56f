"""Services whose owners keep a workload of their own, through the whole engine over memory adapters."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.advance import DRAIN
from delivery.machine.evolve import fold
from delivery.model.event import CauseKind, Phase
from delivery.model.ids import SECOND, TargetId
from delivery.model.release import Home
from delivery.model.version import Backend, VersionRef
from delivery.ports.metrics import Subject
from tests.api.world import SERVICE, ManualClock, World, bearer

CHECKOUT = TargetId("checkout@local")
OLD, NEW = VersionRef.of("1.4.1"), VersionRef.of("1.4.2")
THIRD = VersionRef.of("1.4.3")
CLONE = {**SERVICE, "namespace": "shop", "workload": {"deployment": "checkout", "rollback_window": "1m"}}


class Shop(World):
    """A stranger's checkout that runs 1.4.1."""

    def __init__(self) -> None:
        clock = ManualClock()
        super().__init__(MemoryLedger(clock, fold), clock)
        self.workloads.own(CHECKOUT, OLD)

    def send(self, path: str, **body: Any) -> Any:
        with TestClient(self.app) as http:
            answer = http.post(f"/v1/releases{path}", json=body, headers=bearer("olga"))
        assert answer.status_code < 300, answer.text
        return answer.json()

    def apply(self, **changes: Any) -> None:
        with TestClient(self.app) as http:
            answer = http.put("/v1/services/checkout", json={**CLONE, **changes}, headers=bearer("olga"))
        assert answer.status_code < 300, answer.text

    @property
    def release(self) -> Any:
        row = self.row
        found = row.target.active or row.target.last
        return self.ledger.release(found).release

    @property
    def ended(self) -> Any:
        """How far it is: a second look, as a name of its own."""
        return self.release.phase

    @property
    def row(self) -> Any:
        (row,) = self.ledger.rows("checkout")
        return row

    @property
    def published(self) -> set[str]:
        """The backends that the mesh knows, by their plain lanes."""
        plain = [backend.name for one in (OLD, NEW, THIRD) for backend in _backends(one)]
        return set(plain) & self.mesh._backends.keys()

    @property
    def backends(self) -> tuple[Backend | None, Backend | None]:
        route = self.mesh._routes[CHECKOUT].route
        return route.stable, route.candidate

    def to_full(self) -> Any:
        """The copy of 1.4.2 is given everything by a person."""
        release = self.send("", service="checkout", version="1.4.2")["releases"][0]["id"]
        self.go(5)
        self.send(f"/{release}/promote", reason="hurry")
        return release


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.apply()
    return shop


def test_what_runs_is_adopted_and_stays_where_it_is(shop):
    shop.send("", service="checkout", version="1.4.2")
    shop.go(5)
    assert shop.row.target.stable == OLD
    assert (shop.release.phase, shop.release.stage) == (Phase.BAKING, 0)
    assert shop.backends == (Backend("checkout", OLD, home=True), Backend("checkout", NEW))
    assert shop.workloads.shares[CHECKOUT, NEW.identity] == 5
    assert shop.workloads.pinned == {CHECKOUT}


def test_it_goes_home_and_the_copy_goes(shop):
    shop.to_full()
    shop.go(5)
    assert (shop.release.phase, shop.release.home) == (Phase.PROMOTED, Home.ENTERED)
    assert shop.workloads.current(CHECKOUT, None) == NEW
    assert shop.backends == (Backend("checkout", NEW, home=True), None)
    assert shop.workloads.runs(CHECKOUT, NEW.identity), "requests under way have time to end"
    shop.go(DRAIN // SECOND + 2)
    assert not shop.workloads.runs(CHECKOUT, NEW.identity)
    assert (shop.workloads.pinned, shop.row.target.resting, shop.row.target.retiring) == (set(), None, ())


def test_what_was_at_home_before_is_known_no_more(shop):
    shop.to_full()
    shop.go(5)
    shop.go(DRAIN // SECOND + 2)
    assert shop.published == {Backend("checkout", NEW, home=True).name}


def test_it_can_come_home_again(shop):
    """What this process has published once may have been withdrawn since, by any process."""
    for version in ("1.4.2", "1.4.1", "1.4.2"):
        release = shop.send("", service="checkout", version=version)["releases"][0]["id"]
        shop.go(5)
        shop.send(f"/{release}/promote", reason="hurry")
        shop.go(DRAIN // SECOND + 12)
        assert (shop.release.phase, shop.row.target.stable.version) == (Phase.PROMOTED, version)
        assert shop.published == {Backend("checkout", shop.row.target.stable, home=True).name}


def test_one_that_did_not_stay_at_home_is_known_no_more(shop):
    shop.workloads.slow_home = True
    release = shop.to_full()
    shop.go(5)
    shop.workloads.slow_home = False
    shop.send(f"/{release}/abort", reason="slow")
    shop.go(DRAIN // SECOND + 12)
    assert shop.ended is Phase.ROLLED_BACK
    assert shop.published == {Backend("checkout", OLD, home=True).name}


def test_what_its_owners_replaced_is_known_no_more(shop):
    shop.to_full()
    shop.go(DRAIN // SECOND + 12)
    shop.workloads.own(CHECKOUT, OLD)
    shop.send("", service="checkout", version="1.4.3")
    shop.go(DRAIN // SECOND + 12)
    assert shop.row.target.stable == OLD
    wanted = {Backend("checkout", OLD, home=True), Backend("checkout", THIRD)}
    assert shop.published == {one.name for one in wanted}


def test_people_bring_it_home_where_the_service_says_so(shop):
    shop.apply(promotion={"via": "none"})
    shop.to_full()
    shop.go(20)
    assert (shop.release.phase, shop.release.home) == (Phase.PROMOTING, Home.BEGUN)
    assert shop.workloads.current(CHECKOUT, None) == OLD, "nobody else does"
    shop.workloads.own(CHECKOUT, NEW)
    shop.go(5)
    assert shop.release.phase is Phase.PROMOTED


def test_an_abort_on_the_way_puts_home_back(shop):
    shop.workloads.slow_home = True
    release = shop.to_full()
    shop.go(5)
    assert (shop.release.phase, shop.release.home) == (Phase.PROMOTING, Home.BEGUN)
    assert shop.workloads.current(CHECKOUT, None) == NEW
    shop.send(f"/{release}/abort", reason="slow")
    shop.go(3)
    assert shop.mesh.traffic(CHECKOUT).weight == 0
    assert shop.workloads.current(CHECKOUT, None) == OLD
    assert shop.release.phase is Phase.ROLLING_BACK, "home is not ready yet"
    shop.workloads.slow_home = False
    shop.go(3)
    assert shop.ended is Phase.ROLLED_BACK


def test_home_that_cannot_run_it_takes_it_back(shop):
    shop.to_full()
    shop.workloads.broken_home = "ImagePullBackOff"
    shop.go(3)
    assert shop.release.phase is Phase.ROLLING_BACK
    assert shop.release.cause.kind is CauseKind.CANDIDATE_FAILING
    assert "ImagePullBackOff" in shop.release.cause.reason
    shop.workloads.broken_home = None
    shop.go(3)
    assert shop.ended is Phase.ROLLED_BACK
    assert shop.workloads.current(CHECKOUT, None) == OLD


def test_what_is_observed_is_never_touched():
    shop = Shop()
    shop.apply(workload={"deployment": "checkout", "mode": "observe"})
    shop.send("", service="checkout", version="1.4.2")
    shop.go(5)
    assert shop.release.phase is Phase.PREPARING, "it is not rolled out yet"
    shop.workloads.own(CHECKOUT, NEW)
    shop.metrics.drive(CHECKOUT, 100.0, lambda: {Subject(CHECKOUT, Backend("checkout", NEW, home=True)): 1.0})
    shop.go(90)
    assert shop.ended is Phase.PROMOTED
    assert shop.mesh.traffic(CHECKOUT) is None
    assert shop.mesh._backends == {}
    assert shop.workloads.shares == {}
    assert shop.row.target.stable == NEW


def by_argo(shop):
    """Argo CD has the owners' own workload run what it is told."""
    shop.apply(promotion={"via": "argocd", "application": "checkout", "parameter": "image.tag"})
    shop.argocd.told = shop.workloads.own


def test_argo_cd_brings_it_home_and_its_word_is_not_enough(shop):
    by_argo(shop)
    shop.argocd.told = lambda target, version: None
    shop.to_full()
    shop.go(20)
    assert shop.release.home is Home.BEGUN, "Argo CD says that it is done, and the workload still runs the old version"
    shop.workloads.own(CHECKOUT, NEW)
    shop.go(5)
    assert shop.ended is Phase.PROMOTED


def test_what_argo_cd_waits_for_is_waited_for(shop):
    by_argo(shop)
    shop.argocd.waits = "an operation of Application checkout runs"
    shop.to_full()
    shop.go(10)
    assert (shop.release.phase, shop.release.home) == (Phase.PROMOTING, Home.BEGUN)
    shop.argocd.waits = ""
    shop.go(5)
    assert shop.ended is Phase.PROMOTED


def test_what_argo_cd_cannot_sync_takes_the_release_back_by_the_same_way(shop):
    by_argo(shop)
    told = []

    def tell(target, version):
        told.append(version.version)
        shop.workloads.own(target, version)

    shop.argocd.told = tell
    shop.argocd.broken = "the last sync failed: no such chart"
    release = shop.to_full()
    shop.go(3)
    assert shop.release.phase is Phase.ROLLING_BACK
    assert shop.release.cause.kind is CauseKind.CANDIDATE_FAILING
    shop.argocd.broken = ""
    shop.go(10)
    assert (shop.release.id, shop.ended) == (release, Phase.ROLLED_BACK)
    assert told == ["1.4.2", "1.4.1"]
    assert shop.workloads._homes[CHECKOUT].version == OLD


def test_an_argo_cd_that_is_not_configured_is_named(shop):
    by_argo(shop)
    shop.engine_clusters["local"].deployers.clear()
    shop.to_full()
    shop.go(3)
    assert "[clusters.local.deployers.argocd]" in shop.release.cause.reason


def _backends(version: VersionRef) -> tuple[Backend, Backend]:
    return Backend("checkout", version), Backend("checkout", version, home=True)


def test_a_digest_learnt_behind_the_tag_that_was_released_makes_no_other_version(shop):
    """Whoever else brings it home leaves no note of what it was called: what runs is found with its digest."""
    named = VersionRef.of("1.4.2", "ghcr.io/acme/checkout:1.4.2")
    good = shop.send("", service="checkout", version="1.4.2", image=named.image)["releases"][0]["id"]
    shop.go(5)
    shop.send(f"/{good}/promote", reason="hurry")
    shop.go(DRAIN // SECOND + 2)
    digest = f"sha256:{'9' * 64}"
    shop.workloads.own(CHECKOUT, VersionRef("1.4.2", digest, f"{named.image}@{digest}"))
    bad = shop.send("", service="checkout", version="1.4.3", image="ghcr.io/acme/checkout:1.4.3")["releases"][0]["id"]
    shop.go(5)
    assert shop.row.target.stable == named
    shop.send(f"/{bad}/abort", reason="bad")
    shop.go(5)
    assert shop.send(f"/{good}/rollback", reason="worse")["outcome"] == "release"


def test_another_image_behind_the_same_label_is_another_version(shop):
    named = VersionRef.of("1.4.2", "ghcr.io/acme/checkout:1.4.2")
    good = shop.send("", service="checkout", version="1.4.2", image=named.image)["releases"][0]["id"]
    shop.go(5)
    shop.send(f"/{good}/promote", reason="hurry")
    shop.go(DRAIN // SECOND + 2)
    other = VersionRef.of("1.4.2", f"ghcr.io/acme/shop:1.4.2@sha256:{'8' * 64}")
    shop.workloads.own(CHECKOUT, other)
    shop.send("", service="checkout", version="1.4.3")
    shop.go(5)
    assert shop.row.target.stable == other
