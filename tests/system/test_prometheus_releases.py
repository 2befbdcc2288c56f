"""Releases judged by what a real Prometheus saw of a real Envoy: good and bad ones, and Prometheus away in the middle.

The engine's clock is turned by hand, so that ticks and limits do not have to be waited for; what is counted is real.
"""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.gates.deltas import counts
from delivery.machine.evolve import fold
from delivery.model.series import Sample
from tests.api.world import SERVICE, ManualClock, World, bearer, event, signed
from tests.cluster.testbed.process import wait_until
from tests.contracts.test_metrics_envoy import Obedient, subject
from tests.serving import serving
from tests.system.envoy_prometheus import LIMIT, PrometheusWorld

VERA, OLGA = bearer("vera"), bearer("olga")
USERS = 200
"""Requests in a tick."""
STABLE, CANDIDATE = subject("1.4.1"), subject("1.4.2")


class Shop:
    """The API's world with Prometheus for its metrics, and users that send to whichever version the test says."""

    def __init__(self, seen: PrometheusWorld) -> None:
        clock = ManualClock()
        self.seen = seen
        self.world = World(MemoryLedger(clock, fold), clock)
        self.world.metrics.sample = seen.metrics.sample  # type: ignore[method-assign]
        self.http = TestClient(self.world.app)
        self._sent = {STABLE: 0, CANDIDATE: 0}

    def apply(self, **changes: object) -> None:
        assert self.http.put("/v1/services/checkout", json={**SERVICE, **changes}, headers=OLGA).status_code == 201
        self.request("1.4.1", "gh-1")
        self.world.go(15)
        self.request("1.4.2", "gh-2")
        self.world.go(12)
        assert self.release()["state"] == "progressing"

    def request(self, version: str, key: str) -> None:
        headers, body = signed(event(version, key, time=f"2026-11-24T10:02:1{key[-1]}Z"), key=key)
        assert self.http.post("/v1/webhooks/ci", content=body, headers=headers).status_code == 202

    def tick(self, fails: bool = False) -> None:
        """Users send by the split that is live, Prometheus sees it, and then the gates look."""
        traffic = self.world.mesh.traffic(STABLE.target)
        candidate = USERS * traffic.weight // 100 if traffic else 0
        stable = USERS - candidate
        self.seen.send(STABLE, stable)
        self.seen.send(CANDIDATE, candidate, candidate // 2 if fails else 0)
        self._sent[STABLE] += stable
        self._sent[CANDIDATE] += candidate
        wait_until("what was sent", lambda: self._counted() == self._sent, LIMIT)
        self.world.go(10)

    def _counted(self) -> dict[object, int]:
        samples = self.seen.metrics.sample([STABLE, CANDIDATE])
        return {one: counts({}, sample).requests for one, sample in samples.items() if isinstance(sample, Sample)}

    def release(self) -> dict:
        (newest, *_) = self.http.get("/v1/releases", headers=VERA).json()["releases"]
        found: dict = self.http.get(f"/v1/releases/{newest['id']}", headers=VERA).json()
        return found


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    with serving(Obedient) as port:
        yield port


@pytest.fixture
def seen(tmp_path, service) -> Iterator[PrometheusWorld]:
    seen = PrometheusWorld(tmp_path, service)
    yield seen
    seen.close()


@pytest.fixture
def shop(seen) -> Iterator[Shop]:
    shop = Shop(seen)
    with shop.http:
        yield shop


def test_the_first_error_of_a_new_series_is_counted(seen):
    """`increase` gives 0 here: the series of 5xx is not there before its first one."""
    base = seen.metrics.sample([CANDIDATE])[CANDIDATE].series
    seen.send(CANDIDATE, 1, errors=1)

    def counted() -> tuple[int, int]:
        found = counts(base, seen.metrics.sample([CANDIDATE])[CANDIDATE])
        return found.requests, found.errors

    wait_until("the error", lambda: counted() == (1, 1), LIMIT)
    increase = 'increase(envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}[1m])'
    assert seen.prometheus.total(increase) == 0


def test_what_was_counted_while_prometheus_was_away_is_not_lost(seen):
    seen.send(STABLE, 5)
    wait_until("the first", lambda: counts({}, seen.metrics.sample([STABLE])[STABLE]).requests == 5, LIMIT)
    base = seen.metrics.sample([STABLE])[STABLE].series
    seen.prometheus.stop()
    seen.send(STABLE, 7, errors=2)
    seen.prometheus.start()
    wait_until("Prometheus again", seen.seen, LIMIT)

    def since() -> tuple[int, int] | None:
        sample = seen.metrics.sample([STABLE])[STABLE]
        found = counts(base, sample) if sample else None
        return (found.requests, found.errors) if found else None

    wait_until("what was missed", lambda: since() == (7, 2), LIMIT)


def test_a_good_release_is_promoted(shop):
    shop.apply()
    for _ in range(16):
        if shop.release()["state"] == "promoted":
            break
        shop.tick()
    assert shop.release()["state"] == "promoted"


def test_a_bad_release_is_rolled_back_with_its_figures(shop):
    shop.apply()
    for _ in range(8):
        if shop.release()["state"] in ("rolling_back", "rolled_back"):
            break
        shop.tick(fails=True)
    shop.world.go(3)
    ended = shop.release()
    assert ended["state"] == "rolled_back"
    assert ended["cause"]["gate"] == "errors"
    failed, requests = ended["exposure"]["failed"], ended["exposure"]["requests"]
    assert (failed, requests) == (requests // 2, requests)


def test_prometheus_away_in_the_middle_holds_and_then_follows_its_limit(shop):
    shop.apply(policy={"no_data": {"hold": "5m", "then": "revert"}})
    shop.tick()
    shop.seen.prometheus.stop()
    shop.world.go(60)
    (hold,) = shop.release()["holds"]
    assert hold["kind"] == "no_data"
    assert shop.world.mesh.traffic("checkout@local").weight == 5
    shop.world.go(200)
    assert shop.release()["state"] == "progressing"
    shop.world.go(120)
    ended = shop.release()
    assert ended["state"] == "rolled_back"
    assert "no_data" in ended["cause"]["type"] or "no data" in ended["cause"]["text"].lower()


def test_prometheus_back_in_time_lifts_the_hold(shop):
    shop.apply(policy={"no_data": {"hold": "5m", "then": "revert"}})
    shop.tick()
    shop.seen.prometheus.stop()
    shop.world.go(60)
    assert [hold["kind"] for hold in shop.release()["holds"]] == ["no_data"]
    shop.seen.prometheus.start()
    wait_until("Prometheus again", shop.seen.seen, LIMIT)
    for _ in range(16):
        if shop.release()["state"] == "promoted":
            break
        shop.tick()
    assert shop.release()["state"] == "promoted"
