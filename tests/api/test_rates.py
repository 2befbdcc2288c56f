"""How often somebody may ask, and that what lowers exposure never waits."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.problems import Problem
from api.rates import BURST, Rate, lowers
from delivery.settings import Limits
from tests.api.browser import Browser
from tests.api.test_actions import begin
from tests.api.test_alerts import alert, fire
from tests.api.test_webhooks import kind
from tests.api.world import BASE, bearer, event, signed

FEW = Limits(token_per_second=0.1, source_per_second=0.1)
"""One at once, and the next after ten seconds."""


class Watch:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def fits(rate, name, times):
    done = 0
    for _ in range(times):
        try:
            rate.take(name)
        except Problem:
            break
        done += 1
    return done


def test_a_bucket_holds_ten_seconds_and_fills_again():
    watch = Watch()
    rate = Rate(2, watch)
    assert fits(rate, "a", 100) == 2 * BURST
    assert fits(rate, "b", 5) == 5
    with pytest.raises(Problem) as refused:
        rate.take("a")
    assert (refused.value.kind, refused.value.headers) == ("too-many-requests", {"Retry-After": "1"})
    watch.time += 1.5
    assert fits(rate, "a", 100) == 3
    watch.time += 10_000
    assert fits(rate, "a", 100) == 2 * BURST


def test_names_that_are_forgotten_begin_anew_and_take_no_room():
    rate = Rate(1, Watch())
    fits(rate, "a", 100)
    for number in range(10_000):
        rate.take(str(number))
    assert fits(rate, "a", 1) == 1


def test_less_than_one_in_the_time_of_a_burst_is_one_at_once_all_the_same():
    watch = Watch()
    rate = Rate(0.02, watch)
    assert fits(rate, "a", 5) == 1
    watch.time += 50
    assert fits(rate, "a", 5) == 1


def test_no_limit():
    assert fits(Rate(None, Watch()), "a", 1000) == 1000


@pytest.mark.parametrize(
    ("method", "path", "does"),
    [
        ("POST", "/v1/releases/rel_1/abort", True),
        ("POST", "/releases/rel_1/abort", True),
        ("POST", "/v1/releases/rel_1/reject", True),
        ("POST", "/v1/releases/rel_1/rollback", True),
        ("POST", "/v1/services/checkout/pause", True),
        ("PUT", "/v1/stop", True),
        ("POST", "/stop", True),
        ("POST", "/stop/lift", False),
        ("DELETE", "/v1/stop", False),
        ("POST", "/v1/releases/rel_1/promote", False),
        ("GET", "/v1/releases/abort", False),
        ("POST", "/v1/releases", False),
    ],
)
def test_what_lowers_exposure(method, path, does):
    assert lowers(method, path) is does


@pytest.fixture
def few(world):
    """The same world behind an API that takes little."""
    with TestClient(create_app(replace(world.services, limits=FEW)), base_url=BASE) as http:
        yield http


def test_each_token_has_its_own(few):
    vera, adam = bearer("vera"), bearer("adam")
    assert few.get("/v1/releases", headers=vera).status_code == 200
    answer = few.get("/v1/releases", headers=vera)
    assert (answer.status_code, kind(answer)) == (429, "too-many-requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert few.get("/v1/releases", headers=adam).status_code == 200


def test_an_abort_never_waits(http, few, world):
    release = begin(http, world)
    headers = bearer("adam")
    few.get("/v1/releases", headers=headers)
    assert few.get("/v1/releases", headers=headers).status_code == 429
    assert few.post(f"/v1/releases/{release}/abort", json={"reason": "now"}, headers=headers).status_code == 202


def test_a_browser_counts_as_what_it_began_with(few, world):
    browser = Browser(world)
    browser.http = few
    few.follow_redirects = False
    assert browser.sign_in("vera").status_code == 303
    assert browser.open("/v1/releases").status_code == 200
    assert few.get("/v1/releases", headers=bearer("vera")).status_code == 429


def test_each_source_has_its_own_and_strangers_take_nothing_of_it(few, checkout):
    headers, body = signed(event())
    for _ in range(3):
        stranger = few.post("/v1/webhooks/ci", content=body, headers=headers | {"webhook-signature": "v1,AAAA"})
        assert stranger.status_code == 401
    assert few.post("/v1/webhooks/ci", content=body, headers=headers).status_code == 202
    answer = few.post("/v1/webhooks/ci", content=body, headers=headers)
    assert (answer.status_code, kind(answer)) == (429, "too-many-requests")


def test_alerts_never_wait(few, world):
    for number in range(3):
        assert fire(few, alert(world.clock.now(), fingerprint=f"{number}")).status_code == 202
