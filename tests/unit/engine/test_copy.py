"""A copy of stable through the whole engine over memory adapters: it comes with the candidate and goes with it."""

import pytest

from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.machine.advance import DRAIN
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import SECOND
from delivery.model.traffic import ALL_STABLE, Traffic
from delivery.model.version import Backend
from delivery.ports.errors import Refused
from delivery.ports.workloads import Running
from tests.unit.engine.test_home import CHECKOUT, OLD, Shop

FRESH = {
    "gates": {"errors": {"ratio": "http_errors", "baseline": "fresh"}},
    "strategies": [{"canary": {"steps": ["5%", "50%"], "bake": "10m"}}],
}


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.apply(**FRESH)
    return shop


def begun(shop: Shop) -> str:
    release = shop.send("", service="checkout", version="1.4.2")["releases"][0]["id"]
    shop.go(5)
    return str(release)


def traffic(shop: Shop) -> Traffic:
    found = shop.mesh.traffic(CHECKOUT)
    assert found is not None
    return found


def test_it_is_started_for_its_share_beside_stable_and_goes_with_the_release(shop: Shop) -> None:
    copy = OLD.copy_for(begun(shop))
    assert traffic(shop) == Traffic(5, baseline=5)
    assert shop.mesh._routes[CHECKOUT].route.copy == Backend("checkout", copy)
    assert shop.workloads.shares[CHECKOUT, copy.identity] == 5
    shop.send(f"/{shop.release.id}/abort", reason="enough")
    shop.go(5)
    assert (shop.release.phase, traffic(shop)) == (Phase.ROLLED_BACK, ALL_STABLE)
    shop.go(DRAIN // SECOND + 12)
    assert not shop.workloads.runs(CHECKOUT, copy.identity)
    assert Backend("checkout", copy).name not in shop.mesh._backends
    assert shop.row.target.retiring == ()


def test_one_that_dies_loses_its_share_and_gets_it_back(shop: Shop) -> None:
    copy = OLD.copy_for(begun(shop))
    shop.workloads.script(CHECKOUT, copy.identity, Running(False, looked_for="0 of 1 pods"))
    shop.go(20)
    assert (traffic(shop), shop.release.held(HoldKind.BASELINE_UNREADY)) == (Traffic(5), True)
    shop.workloads.script(CHECKOUT, copy.identity)
    shop.go(20)
    assert (traffic(shop), shop.release.holds) == (Traffic(5, baseline=5), ())


def test_one_that_only_lost_an_instance_keeps_it(shop: Shop) -> None:
    copy = OLD.copy_for(begun(shop))
    shop.workloads.script(CHECKOUT, copy.identity, Running(False, looked_for="1 of 2 pods", answers=True))
    shop.go(20)
    assert (traffic(shop), shop.release.held(HoldKind.BASELINE_UNREADY)) == (Traffic(5, baseline=5), True)


def test_nobody_can_look_says_nothing_against_it(shop: Shop) -> None:
    begun(shop)
    shop.workloads.down = True
    shop.go(20)
    assert (traffic(shop), shop.release.holds) == (Traffic(5, baseline=5), ())


@pytest.mark.parametrize("dead", [True, False])
def test_the_way_back_asks_nobody_about_it(shop: Shop, dead: bool) -> None:
    release = begun(shop)
    copy = OLD.copy_for(release)
    if dead:
        shop.workloads.script(CHECKOUT, copy.identity, Running(False, failing="exit code 1"))
        shop.go(20)
    shop.workloads.down = True
    shop.send(f"/{release}/abort", reason="enough")
    shop.go(5)
    assert traffic(shop) == ALL_STABLE


def test_one_that_cannot_be_made_is_told_at_once_and_a_person_goes_on_without(shop: Shop, monkeypatch) -> None:
    original = MemoryWorkloads.ensure

    def refusing(self, target, workload, version, need):
        if version.is_copy:
            raise Refused("ConfigMap/shop is not what 1.4.1 was started with")
        return original(self, target, workload, version, need)

    monkeypatch.setattr(MemoryWorkloads, "ensure", refusing)
    release = begun(shop)
    (hold,) = shop.release.holds
    assert (hold.kind, hold.detail) == (
        HoldKind.BASELINE_UNREADY,
        "ConfigMap/shop is not what 1.4.1 was started with",
    )
    shop.send(f"/{release}/resume", holds=["baseline_unready"], reason="we look ourselves")
    shop.go(5)
    assert traffic(shop) == Traffic(5)
    shop.send(f"/{release}/promote", reason="well")
    shop.go(5)
    assert shop.release.phase is Phase.PROMOTED
