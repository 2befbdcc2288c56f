"""An edited VirtualService means what the traffic means, and keeps whatever is not ours."""

import copy
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from delivery.adapters.mesh.answer import destinations
from delivery.adapters.mesh.istio import document, hosts, stamps, targets
from delivery.adapters.mesh.istio.stamps import Written
from delivery.model.ids import ReleaseId, target_id
from delivery.model.place import Isolation, Mode, Place, RouteRef
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Match, Mirror, Rule, Sticky, Traffic
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.errors import Refused
from delivery.ports.mesh import Route, Stamp
from tests.unit.mesh.istio_reading import backends, odds
from tests.unit.mesh.test_render import CANDIDATE, STABLE, meant, requests, routes_from

STAMP = Stamp(3, ReleaseId("rel_1"), 5, 6, "abc")
HOME = Backend("checkout", STABLE.version, home=True)
VERSIONED = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}")
PLACES = (VERSIONED, Place("shop", "checkout", "checkout"), Place("shop", "c", "checkout", isolation=Isolation.SUBSET))
SECRET = "hush"
OWN = {"destination": {"host": "checkout", "port": {"number": 80}}}

routes = routes_from(STABLE, STABLE, HOME, None)
places = some.sampled_from(PLACES)

# What owners write beside the part that we touch, and routes that are not ours at all.
extras = some.dictionaries(
    some.sampled_from(("timeout", "retries", "corsPolicy", "headers", "rewrite", "fault")),
    some.sampled_from(("1s", True, 3, {"attempts": 2}, [{"exact": "x"}])),
    max_size=3,
)
foreign = some.builds(
    lambda extra, name, host: {"name": name, **extra, "route": [{"destination": {"host": host}}]},
    extras,
    some.sampled_from(("other", "delivery-billing.probe", "delivery-checkout-x.probe")),
    some.sampled_from(("billing", "checkout.other", "checkout.other.svc.cluster.local")),
)
owned = some.builds(
    lambda extra, entry, match: {**extra, "route": [entry], **match},
    extras,
    some.sampled_from((OWN, {**OWN, "weight": 100}, {"destination": {"host": "checkout.shop.svc.cluster.local"}})),
    some.sampled_from(({}, {"match": [{"uri": {"prefix": "/beta"}}]}, {"match": [{"uri": {"prefix": "/"}}]})),
)
documents = some.builds(
    lambda http, kept, notes: {
        "metadata": {"name": "checkout", "namespace": "shop", "resourceVersion": "7", "annotations": notes},
        "spec": {"hosts": ["checkout.example.com"], **kept, "http": http},
    },
    some.builds(lambda some_of, last: [*some_of, last], some.lists(foreign | owned, max_size=3), owned),
    some.fixed_dictionaries({}, optional={"gateways": some.just(["mesh"]), "tcp": some.just([{"route": []}])}),
    some.dictionaries(some.sampled_from(("note", "route.progressive-delivery/billing")), some.text(max_size=5)),
)


def plain(*http, **metadata):
    """A VirtualService with these routes."""
    name = {"name": "checkout", "namespace": "shop", "resourceVersion": "7", **metadata}
    return {"metadata": name, "spec": {"hosts": ["checkout.example.com"], "http": list(http or [{"route": [OWN]}])}}


def subset(name):
    return {"destination": {"host": "checkout", "subset": name}}


def edit(found, route, place=VERSIONED, stamp=STAMP):
    written = document.stamped([found], route, place, stamp)
    return document.edit(found, route, place, written, SECRET)


def edited(found, route, place):
    """Skips what the document's own conditions cannot be joined with."""
    try:
        return edit(found, route, place)
    except Refused as reason:
        assume("second condition" not in str(reason) and "one condition" not in str(reason))
        assume("takes none of" not in str(reason))
        raise


@given(routes, requests, places)
def test_a_virtual_service_means_what_the_traffic_means(route, request_, place):
    assert odds(edited(plain(), route, place), request_, route, place) == meant(route, request_)


@given(documents, routes, places)
def test_what_is_not_ours_stays_byte_for_byte(found, route, place):
    before = copy.deepcopy(found)
    after = edited(found, route, place)
    assert found == before, "it is not changed in place"
    left = copy.deepcopy(after)
    left["metadata"]["annotations"].pop(stamps.key("checkout"))
    theirs = [each for each in left["spec"]["http"] if not stamps.is_ours(each, "checkout")]
    for one, other in zip(theirs, found["spec"]["http"], strict=True):
        if any(hosts.is_home(entry, place) for entry in other["route"]):
            one["route"] = other["route"]
    left["spec"]["http"] = theirs
    assert json.dumps(left) == json.dumps(found)


@given(documents)
def test_with_everything_at_home_the_owners_routes_are_as_they_wrote_them(found):
    home = Place("shop", "checkout", "checkout")
    after = edited(found, route_with(ALL_STABLE, HOME), home)["spec"]["http"]
    assert json.dumps([each for each in after if not stamps.is_ours(each, "checkout")]) == json.dumps(
        found["spec"]["http"]
    )


@given(documents, routes, places)
def test_editing_twice_is_editing_once(found, route, place):
    once = edited(found, route, place)
    written = stamps.read(once, "checkout")
    assert written is not None
    assert document.edit(once, route, place, written, SECRET) == once


@given(documents, routes, routes, places, requests)
def test_a_write_means_the_same_whatever_was_there_before(found, earlier, route, place, request_):
    """But for the stamp and the weights that a lone destination may have, which mean nothing."""
    over, afresh = edited(edited(found, earlier, place), route, place), edited(found, route, place)
    for each in (over, afresh):
        each["metadata"].pop("annotations")
        for one in each["spec"]["http"]:
            if len(one.get("route", ())) == 1:
                one["route"][0].pop("weight", None)
        each["spec"]["http"].pop(0)  # the probe has the number of the write
    assert over == afresh


@given(documents, routes, places)
def test_weights_add_up_and_a_lone_destination_is_meant_to_get_everything(found, route, place):
    names = backends(route, place)
    shadowed = {hosts.lane(place, each, Lane.SHADOWED) for each in (STABLE, HOME)}
    for one in edited(found, route, place)["spec"]["http"]:
        entries = one.get("route", ())
        labels = [hosts.label_of(entry, "shop") for entry in entries]
        if len(entries) > 1 and ".sticky.again" not in one.get("name", ""):  # those are odds among a part of the users
            assert sum(entry["weight"] for entry in entries) == 100
        elif len(entries) == 1:
            assert entries[0].get("weight", 100) == 100
        if (
            len(entries) == 1
            and labels[0] in names
            and labels[0] not in shadowed
            and not stamps.is_ours(one, "checkout")
        ):
            (only,) = entries
            wanted = route.stable if route.traffic.weight < 100 else route.candidate
            assert labels[0] in (hosts.lane(place, wanted), hosts.resolve("checkout", "shop"))
            assert only.get("weight", 100) == 100


@given(routes, places)
def test_it_names_what_it_can_send_to_and_the_owners_service(route, place):
    known = backends(route, place)
    named = {known[label] for label in document.named(edited(plain(), route, place)) if label in known}
    home = {route.stable.name} if route.stable is not None and route.stable.home else set()
    assert named | home == set(destinations(route)) | home


@given(routes, places)
def test_the_live_weight_and_the_stamp_are_read_back(route, place):
    found = json.loads(json.dumps(edited(plain(), route, place)))
    live = targets.live([found], place, "checkout")
    assert live.stamp == STAMP
    assert live.weight == (route.traffic.weight if route.candidate else 0)
    assert live.revision == "checkout@7"


def test_every_write_is_new_content():
    route = Route(target_id("checkout", "local"), "checkout", STABLE, CANDIDATE, Traffic(weight=30))
    once = edit(plain(), route)
    again = edit(once, route)
    assert targets.content([once], VERSIONED, "checkout") != targets.content([again], VERSIONED, "checkout")


def test_content_is_of_what_is_ours_alone():
    route = Route(target_id("checkout", "local"), "checkout", STABLE, CANDIDATE, Traffic(weight=30))
    once = edit(
        plain({"name": "other", "route": [{"destination": {"host": "b"}}]}, {"route": [OWN], "timeout": "1s"}), route
    )
    before = targets.content([once], VERSIONED, "checkout")
    once["spec"]["http"][-1]["timeout"] = "2s"
    once["spec"]["http"][1]["route"] = []
    once["metadata"]["annotations"]["note"] = "theirs"
    assert targets.content([once], VERSIONED, "checkout") == before
    once["spec"]["http"][-1]["route"][-1]["weight"] = 31
    assert targets.content([once], VERSIONED, "checkout") != before
    assert targets.content([plain()], VERSIONED, "checkout") == ""


def route_with(traffic, stable=STABLE):
    return Route(target_id("checkout", "local"), "checkout", stable, CANDIDATE, traffic, "7")


def test_only_named_routes_are_edited_and_only_where_they_are():
    place = Place("shop", "checkout", "checkout", routes=(RouteRef("checkout", ("api",)),))
    main, api = {"name": "main", "route": [OWN]}, {"name": "api", "route": [OWN]}
    after = edit(plain(main, api), route_with(Traffic(weight=30)), place)["spec"]["http"]
    assert [each["name"] for each in after] == ["delivery-checkout.probe", "main", "api"]
    assert after[1] == main
    assert len(after[2]["route"]) == 3, "the owners' entry stays, with nothing"
    with pytest.raises(Refused, match="no HTTP route called api"):
        edit(plain(main), route_with(Traffic(weight=30)), place)
    assert edit(plain(main), route_with(ALL_STABLE), place)["spec"]["http"][1:] == [main], "there is nothing to revert"


def test_two_services_share_a_virtual_service():
    billing = Place("shop", "billing", "billing")
    a, b = (Backend("billing", VersionRef(label, label)) for label in "ab")
    other = Route(target_id("billing", "local"), "billing", a, b, ALL_CANDIDATE)
    both = plain(
        {"match": [{"uri": {"prefix": "/b"}}], "route": [{"destination": {"host": "billing"}}]}, {"route": [OWN]}
    )
    first = edit(both, route_with(Traffic(weight=30)))
    second = edit(first, other, billing)
    assert stamps.services(second) == {"checkout", "billing"}
    assert targets.content([second], VERSIONED, "checkout") == targets.content([first], VERSIONED, "checkout")
    assert stamps.read(second, "checkout") == stamps.read(first, "checkout")


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([OWN, {"destination": {"host": "legacy"}, "weight": 10}], "sends to legacy.shop.svc.cluster.local too"),
        (
            [{**OWN, "weight": 50}, {"destination": {"host": "checkout", "subset": "v1"}, "weight": 50}],
            "splits checkout",
        ),
        ([{"destination": {"host": "checkout.shop"}}], "no HTTP route that leads to checkout.shop.svc.cluster.local"),
    ],
)
def test_a_route_that_cannot_carry_it_is_refused(entries, reason):
    with pytest.raises(Refused, match=reason):
        edit(plain({"route": entries}), route_with(Traffic(weight=30)))


def test_a_route_with_versions_of_another_service_says_whose_they_are():
    old = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="old-{version}")
    a, b = (Backend("old", VersionRef(label, label)) for label in "ab")
    left = edit(plain(), Route(target_id("old", "local"), "old", a, b, Traffic(weight=50)), old)
    with pytest.raises(Refused, match=r"a version of old: .* `delivery release-control` says how to take it out"):
        edit(left, route_with(Traffic(weight=30)))


def test_an_entry_that_got_nothing_is_not_what_the_owners_meant():
    left = [{**subset("stable"), "weight": 100}, {**subset("canary"), "weight": 0}]
    after = edit(plain({"route": left}), route_with(Traffic(weight=30), HOME))["spec"]["http"][-1]["route"]
    assert [(each["destination"].get("subset"), each["weight"]) for each in after] == [("stable", 70), (None, 30)]


def test_a_destination_that_somebody_took_out_comes_back():
    written = edit(plain(), route_with(Traffic(weight=30)))
    written["spec"]["http"][-1]["route"].pop(0)
    back = edit(written, route_with(ALL_STABLE, HOME))["spec"]["http"][-1]["route"]
    assert back == [{"destination": {"host": "checkout.shop.svc.cluster.local", "port": {"number": 80}}}]


def test_rules_and_mirrors_join_the_owners_own_conditions():
    owners = {"match": [{"uri": {"prefix": "/api/"}, "headers": {"x-a": {"exact": "1"}}}], "route": [OWN]}
    rules = (Rule("in", (Match(path="/api/v2"),)), Rule("out", (Match(path="/web"),)))
    after = edit(plain(owners), route_with(Traffic(rules=rules)))["spec"]["http"]
    assert [each.get("name") for each in after] == ["delivery-checkout.probe", "delivery-checkout.rule.in", None]
    uris = [match["uri"] for match in after[1]["match"]]
    assert uris == [{"exact": "/api/v2"}, {"prefix": "/api/v2/"}]
    assert all(match["headers"] == {"x-a": {"exact": "1"}} for match in after[1]["match"])
    posts = {"match": [{"method": {"exact": "POST"}}], "route": [OWN]}
    with pytest.raises(Refused, match="takes none of GET"):
        edit(plain(posts), route_with(Traffic(mirror=Mirror(10, ("GET",)))))


def test_the_owners_mirror_stays_beside_ours():
    owners = {"route": [OWN], "mirror": {"host": "audit"}, "mirrorPercentage": {"value": 5}}
    after = edit(plain(owners), route_with(Traffic(mirror=Mirror(10))))["spec"]["http"]
    assert after[-1]["mirror"] == {"host": "audit"}
    assert "mirror" not in after[1]
    assert [each["percentage"]["value"] for each in after[1]["mirrors"]] == [5, 10]


def test_sticky_cookies_are_set_beside_the_owners_headers_and_leave_with_the_stage():
    entry = {**OWN, "headers": {"response": {"add": {"x-shop": "1"}}}}
    sticky = edit(plain({"route": [entry]}), route_with(Traffic(weight=50, sticky=Sticky("rel"))))
    told = sticky["spec"]["http"][-2]["route"][0]["headers"]["response"]["add"]
    assert told.keys() == {"x-shop", "set-cookie"}
    after = edit(sticky, route_with(Traffic(weight=50)))
    assert "set-cookie" not in json.dumps(after)


@pytest.mark.parametrize("text", ["", "{}", "x", '{"epoch":1}', '{"epoch":"x"}', "[]"])
def test_a_stamp_that_is_not_whole_is_none(text):
    found = plain(annotations={stamps.key("checkout"): text})
    assert stamps.read(found, "checkout") is None
    live = targets.live([found], VERSIONED, "checkout")
    assert (live.stamp, live.weight) == (None, 0)
    assert live.content, "but somebody left something there"


@pytest.mark.parametrize(
    "entries", [None, [], [{}], [{"destination": {"host": "checkout"}, "weight": "x"}], [{"weight": 3}, {}]]
)
def test_whatever_somebody_made_of_the_routes_a_weight_is_told(entries):
    found = edit(plain(), route_with(Traffic(weight=30)))
    found["spec"]["http"][-1]["route"] = entries
    assert targets.live([found], VERSIONED, "checkout").weight in (0, 100)


def test_of_a_half_done_write_the_newest_stamp_is_told():
    one, two = plain(), plain(name="internal")
    written = document.stamped([one, two], route_with(ALL_STABLE), VERSIONED, STAMP)
    stable, candidate = (hosts.lane(VERSIONED, each) for each in (STABLE, CANDIDATE))
    assert written == Written(STAMP, 1, stable, candidate, written.ours)
    done = document.edit(one, route_with(ALL_STABLE), VERSIONED, written, SECRET)
    assert targets.newest([done, two], "checkout") == written
    assert document.stamped([done, two], route_with(ALL_STABLE), VERSIONED, STAMP).rev == 2


def test_a_pause_is_told_with_its_reason():
    assert targets.paused([plain()]) is None
    assert "(at night)" in (targets.paused([plain(annotations={stamps.PAUSE: "at night"})]) or "")
