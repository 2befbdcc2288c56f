"""The virtual host means what the traffic means, for any traffic and any request."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from delivery.adapters.mesh.answer import Request, answer, destinations, mistake
from delivery.adapters.mesh.envoy import marker
from delivery.adapters.mesh.envoy.admit import named_clusters
from delivery.adapters.mesh.envoy.clusters import told
from delivery.adapters.mesh.envoy.render import limiting, section
from delivery.model.ids import Micros, ReleaseId, target_id
from delivery.model.policy import RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import CookieMatch, HeaderMatch, Match, MatchKind, Mirror, Rule, Sticky, Traffic
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route, Stamp
from tests.unit.mesh.reading import Key, frozen, odds

STABLE, CANDIDATE = (Backend("checkout", VersionRef(label, label)) for label in ("1.4.1", "1.4.2"))
COPY = Backend("checkout", STABLE.version.copy_for("rel_1"))
STAMP = Stamp(3, ReleaseId("rel_1"), 5, 6, "abc")
VALUES = ("on", "o", "on+", "v1", "v12", "", "x.y")
NAMES = ("x-beta", "X-Group")
PATHS = ("/", "/beta", "/beta/", "/betax", "/beta/x", "/a/beta", "/beta?x=/a")

headers = some.builds(
    HeaderMatch, some.sampled_from(NAMES), some.sampled_from(MatchKind), some.sampled_from(("on", "v[0-9]+", "o.*"))
)
cookies = some.builds(CookieMatch, some.sampled_from(("rel", "group")), some.sampled_from(("on", "candidate-7")))
matches = some.builds(
    Match,
    some.lists(headers, max_size=2).map(tuple),
    some.lists(cookies, max_size=1).map(tuple),
    some.none() | some.sampled_from(("/", "/beta", "/beta/", "/a")),
)
rules = some.lists(
    some.builds(Rule, some.just("r"), some.lists(matches, min_size=1, max_size=2).map(tuple)), max_size=2
)
weights = some.integers(0, 100)
stickies = some.none() | some.builds(
    Sticky, some.just("rel"), some.lists(some.integers(0, 99), max_size=3).map(sorted).map(tuple)
)
mirrors = some.builds(Mirror, some.integers(1, 100), some.sampled_from(((), ("GET",), ("GET", "HEAD"))))
policies = some.none() | some.builds(
    TrafficPolicy,
    some.none() | some.just(Micros(2_000_000)),
    some.none() | some.builds(Retries, some.integers(0, 2)),
    rate_limit=some.none() | some.just(RateLimit(9, Micros(1_000_000))),
)
traffics = some.builds(Traffic, weights, rules.map(tuple), sticky=stickies, policy=policies) | some.builds(
    Traffic, mirror=mirrors
)


@some.composite
def compared(draw):
    """A copy of stable beside the candidate."""
    weight = draw(some.integers(1, 99))
    return Traffic(weight, draw(rules.map(tuple)), policy=draw(policies), baseline=draw(some.integers(1, 100 - weight)))


def routes_from(*stable):
    """Whatever the versions behind a route can carry; a copy where there is a share for it."""
    made = some.builds(
        Route,
        some.just(target_id("checkout", "local")),
        some.just("checkout"),
        some.sampled_from(stable),
        some.sampled_from((CANDIDATE, CANDIDATE, None)),
        traffics | compared(),
        some.just("7"),
    )
    whole = made.map(lambda route: replace(route, copy=COPY if route.traffic.baseline else None))
    return whole.filter(lambda route: mistake(route) is None)


routes = routes_from(STABLE, STABLE, None)
held = some.sampled_from(
    ("", "on", "candidate-7", "candidate-77", "stable-7-0", "stable-7-1", "stable-7-2", "stable-7-9", "stable-8-0", "x")
)
requests = some.builds(
    Request,
    some.just("checkout"),
    some.sampled_from(PATHS),
    some.sampled_from(("GET", "HEAD", "POST")),
    some.dictionaries(some.sampled_from(("x-beta", "x-group")), some.sampled_from(VALUES)),
    some.dictionaries(some.sampled_from(("rel", "group")), held),
)


def meant(route, request):
    """The odds by the meaning of Traffic: each number that can be drawn, once."""
    asked: list[int] = []

    def drawing(number):
        def draw(total):
            asked.append(total)
            return number

        return draw

    answer(route, request, drawing(0))
    assert len(asked) <= 1
    total = asked[0] if asked else 1
    found: dict[Key, Fraction] = {}
    for number in range(total):
        key = frozen(answer(route, request, drawing(number)))
        found[key] = found.get(key, Fraction(0)) + Fraction(1, total)
    return found


@given(routes, requests)
def test_a_virtual_host_means_what_the_traffic_means(route, request):
    found, wanted = odds(section(route, STAMP, 1), request), meant(route, request)
    assert found.keys() == wanted.keys()
    assert max(abs(found[key] - wanted[key]) for key in wanted) <= Fraction(1, 1_000_000)


@given(routes)
def test_it_names_exactly_what_it_can_send_to_and_never_a_split_of_nothing(route):
    host = section(route, STAMP, 1)
    assert named_clusters(host) == set(destinations(route))
    for each in host["routes"]:
        for entry in each.get("route", {}).get("weighted_clusters", {}).get("clusters", ()):
            assert entry["weight"] > 0


@given(routes)
def test_the_live_weight_is_read_back(route):
    host = json.loads(json.dumps(section(route, STAMP, 9)))
    policy = told(limiting(route))
    assert marker.read(host) == marker.Marker(STAMP, 9, route.candidate.name if route.candidate else "", policy)
    expected = route.traffic.weight if route.candidate else 0
    assert marker.live_weight(host) == expected


@given(routes, some.integers(1, 9))
def test_every_write_is_new_content(route, rev):
    assert section(route, STAMP, rev) != section(route, STAMP, rev + 1)


@pytest.mark.parametrize(
    ("stable", "candidate", "traffic"),
    [
        (None, CANDIDATE, Traffic(weight=10)),
        (None, CANDIDATE, Traffic(mirror=Mirror(10))),
        (STABLE, None, Traffic(weight=10)),
        (STABLE, None, Traffic(weight=100)),
        (STABLE, None, Traffic(mirror=Mirror(10))),
    ],
)
def test_traffic_for_a_version_that_is_not_there_is_refused(stable, candidate, traffic):
    with pytest.raises(Refused, match="there is none"):
        section(Route(target_id("checkout", "local"), "checkout", stable, candidate, traffic), STAMP, 1)


def test_a_marker_that_is_not_whole_is_not_ours():
    host = section(Route(target_id("a", "b"), "a", STABLE, CANDIDATE, Traffic(weight=30)), STAMP, 1)
    host["metadata"]["filter_metadata"]["delivery"]["dseq"] = "x"
    assert marker.read(host) is None
    assert marker.live_weight(host) == 0
    assert marker.read({}) is None


@pytest.mark.parametrize(
    "routes",
    [None, [], [1], [{}], [{"route": {}}], [{"route": {"weighted_clusters": {"clusters": [{"weight": "x"}]}}}], 7],
)
def test_whatever_somebody_made_of_the_routes_a_weight_is_told(routes):
    host = section(Route(target_id("a", "b"), "a", STABLE, CANDIDATE, Traffic(weight=30)), STAMP, 1)
    assert marker.live_weight({**host, "routes": routes}) == 0
