"""What workloads are asked: "still ready?" only where ready is no news, so that what is watched changes nothing."""

import pytest

from delivery.adapters.workloads.memory import MemoryWorkloads
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.ports.workloads import Need, Running
from tests.unit.engine.test_home import CHECKOUT, NEW, OLD, Shop


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.apply()
    return shop


@pytest.fixture
def asked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Need]]:
    """Every need, by version, in order."""
    found: list[tuple[str, Need]] = []
    original = MemoryWorkloads.ensure

    def ensure(self, target, workload, version, need):
        found.append((version.version, need))
        return original(self, target, workload, version, need)

    monkeypatch.setattr(MemoryWorkloads, "ensure", ensure)
    return found


def of(asked: list[tuple[str, Need]], version: str) -> list[Need]:
    needs = [need for name, need in asked if name == version]
    asked.clear()
    return needs


def test_ready_is_news_until_it_is_known_and_again_for_a_larger_share(shop, asked) -> None:
    release = shop.send("", service="checkout", version=NEW.version)["releases"][0]["id"]
    shop.go(5)
    assert shop.release.phase is Phase.BAKING
    needs = of(asked, NEW.version)
    assert not needs[0].known, "it was never ready before"
    assert needs[-1].known
    assert {need.by for need in needs} == {release}
    shop.send(f"/{release}/promote", reason="hurry")
    shop.go(5)
    needs = of(asked, NEW.version)
    grown = next(need for need in needs if need.share == 100)
    assert not grown.known, "for everybody it was never ready"


def test_what_was_lost_is_news_when_it_comes_back(shop, asked) -> None:
    shop.send("", service="checkout", version=NEW.version)
    shop.go(5)
    shop.workloads.script(CHECKOUT, NEW.identity, Running(False, looked_for="it"))
    shop.go(20)
    assert shop.release.held(HoldKind.CANDIDATE_UNREADY)
    of(asked, NEW.version)
    shop.go(20)
    assert not any(need.known for need in of(asked, NEW.version))


def test_stable_is_known_unless_it_is_missed(shop, asked) -> None:
    shop.send("", service="checkout", version=NEW.version)
    shop.go(5)
    assert of(asked, OLD.version)[-1].known


def test_a_watch_that_has_stopped_raises_nothing(shop, monkeypatch) -> None:
    """It goes on saying that the candidate is ready, which died: a person's raise waits for a look of its own."""
    release = shop.send("", service="checkout", version=NEW.version)["releases"][0]["id"]
    shop.go(5)
    assert shop.mesh.traffic(CHECKOUT).weight == 5
    original = MemoryWorkloads.ensure

    def stale(self, target, workload, version, need):
        if version == NEW and not need.known:
            return Running(False, looked_for="its pods, which are gone")
        return original(self, target, workload, version, need)

    monkeypatch.setattr(MemoryWorkloads, "ensure", stale)
    shop.send(f"/{release}/promote", reason="hurry")
    shop.go(60)
    assert shop.mesh.traffic(CHECKOUT).weight == 5
