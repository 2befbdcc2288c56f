"""A revert is written whatever owners have made of the routes: what is theirs stays, what is ours goes."""

import copy

import pytest

from delivery.adapters.kube.objects import ISTIO
from delivery.adapters.mesh.istio import document, hosts, stamps
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.proof import Proof
from delivery.model.ids import ReleaseId, target_id
from delivery.model.place import Isolation, Mode, Place, RouteRef, object_name
from delivery.model.traffic import ALL_STABLE, HeaderMatch, Match, MatchKind, Mirror, Rule, Sticky, Traffic
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.errors import Conflict, Refused
from delivery.ports.mesh import Route, Stamp
from tests.unit.mesh.namespace import Namespace

TARGET = target_id("checkout", "prod")
STABLE, CANDIDATE = (Backend("checkout", VersionRef(version, version)) for version in ("1.4.1", "1.4.2"))
HOME = Backend("checkout", STABLE.version, home=True)
VERSIONED = Place("shop", "checkout", "checkout", Mode.VERSIONED, candidate="checkout-{version}")
CLONED = Place("shop", "checkout", "checkout")
SUBSETS = Place("shop", "checkout", "checkout", Mode.VERSIONED, Isolation.SUBSET, candidate="checkout-{version}")
OWN = {"destination": {"host": "checkout", "port": {"number": 80}}}
LEGACY = {"destination": {"host": "legacy"}, "weight": 10}
BACK = Traffic(sticky=Sticky("rel"))
SETUPS = pytest.mark.parametrize(
    ("place", "stable"), [(VERSIONED, STABLE), (CLONED, HOME), (SUBSETS, STABLE)], ids=["versioned", "clone", "subset"]
)


def virtual_service(*http, name="checkout"):
    return {
        "apiVersion": ISTIO,
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "hosts": [f"{name}.example.com"],
            "http": [{"name": "main", "route": [copy.deepcopy(OWN)]}],
        },
    }


def services():
    for backend in (STABLE, CANDIDATE, HOME):
        for lane in Lane:
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": object_name(backend, lane), "namespace": "shop"},
                "spec": {},
            }
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "checkout", "namespace": "shop"}, "spec": {}}


class Scene:
    """One target, whose release writes; what owners do to its VirtualServices meanwhile."""

    def __init__(self, place, stable, *documents):
        self.place, self.stable = place, stable
        self.kube = Namespace(*services(), *(documents or (virtual_service(),)))
        self.mesh = IstioMesh("prod", self.kube, lambda _: place, Proof({}, None))
        if place.isolation is Isolation.SUBSET:
            subsets = [{"name": object_name(each, lane)} for each in (stable, CANDIDATE) for lane in Lane]
            self.kube.put(
                {
                    "apiVersion": ISTIO,
                    "kind": "DestinationRule",
                    "metadata": {"name": "delivery-checkout", "namespace": "shop"},
                    "spec": {"host": "checkout", "subsets": subsets},
                }
            )
        self.seq = 1

    def write(self, traffic):
        self.seq += 1
        route = Route(TARGET, "checkout", self.stable, CANDIDATE, traffic, "7")
        stamp = Stamp(1, ReleaseId("rel_1"), self.seq, self.seq, "head")
        return self.mesh.write(route, stamp, self.mesh.read(TARGET).revision)

    def stored(self, name="checkout"):
        return copy.deepcopy(self.kube.get(f"/apis/{ISTIO}/namespaces/shop/virtualservices/{name}"))

    def edit(self, change, name="checkout"):
        found = self.stored(name)
        change(found)
        self.kube.put(found)

    def owners(self, name="checkout"):
        """The routes that are not ours, each as shares by destination."""
        return [shares(one) for one in stamps.http(self.stored(name)) if not stamps.is_ours(one, "checkout")]

    def dseq(self):
        """Of the newest write that is stored."""
        stamp = self.mesh.read(TARGET).stamp
        return stamp and stamp.dseq

    def host(self, backend):
        return hosts.lane(self.place, backend)


def shares(route):
    entries = route["route"]
    weights = [100] if len(entries) == 1 else [each.get("weight", 0) for each in entries]
    found: dict[str, int] = {}
    for entry, weight in zip(entries, weights, strict=True):
        if weight:
            label = hosts.label_of(entry, "shop")
            found[label] = found.get(label, 0) + weight
    return found


def last(found):
    return found["spec"]["http"][-1]


@SETUPS
def test_a_destination_that_owners_added_keeps_its_share_and_refuses_no_revert(place, stable):
    scene = Scene(place, stable)
    scene.write(Traffic(weight=50))

    def add(found):
        last(found)["route"][-1]["weight"] = 40
        last(found)["route"].append(copy.deepcopy(LEGACY))

    scene.edit(add)
    with pytest.raises(Refused, match="sends to legacy"):
        scene.write(Traffic(weight=60))
    scene.write(ALL_STABLE)
    assert scene.owners() == [{scene.host(stable): 90, "legacy.shop.svc.cluster.local": 10}]
    assert scene.mesh.read(TARGET).weight == 0
    scene.write(ALL_STABLE)
    assert scene.owners() == [{scene.host(stable): 90, "legacy.shop.svc.cluster.local": 10}], "and again the same"


@SETUPS
def test_a_destination_of_ours_goes_also_where_owners_took_out_their_own(place, stable):
    scene = Scene(place, stable)
    scene.write(Traffic(weight=50))
    mine = scene.host(CANDIDATE)

    def leave_ours_alone(found):
        entries = last(found)["route"]
        last(found)["route"] = [each for each in entries if hosts.label_of(each, "shop") == mine] + [
            {**LEGACY, "weight": 50}
        ]

    scene.edit(leave_ours_alone)
    scene.write(ALL_STABLE)
    assert scene.owners() == [{scene.host(stable): 50, "legacy.shop.svc.cluster.local": 50}]


def test_where_owners_send_all_elsewhere_nothing_of_theirs_is_changed():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=50))
    away = [{**OWN, "weight": 0}, {**LEGACY, "weight": 100}]
    scene.edit(lambda found: last(found).update(route=copy.deepcopy(away)))
    scene.write(ALL_STABLE)
    assert last(scene.stored())["route"] == away


def test_a_version_is_taken_out_where_owners_have_taken_out_the_service_and_our_note():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=50))

    def change(found):
        del found["metadata"]["annotations"]
        last(found)["route"] = [*last(found)["route"][-1:], {**LEGACY, "weight": 50}]

    scene.edit(change)
    scene.write(ALL_STABLE)
    assert scene.owners() == [{scene.host(STABLE): 50, "legacy.shop.svc.cluster.local": 50}]
    assert scene.dseq() == scene.seq


@SETUPS
def test_a_split_among_the_owners_own_subsets_stays(place, stable):
    scene = Scene(place, stable)
    scene.write(Traffic(weight=50))
    theirs = [{"destination": {"host": "checkout", "subset": each}, "weight": 20} for each in ("a", "b")]

    def split(found):
        ours = [each for each in last(found)["route"] if hosts.label_of(each, "shop") == scene.host(CANDIDATE)]
        last(found)["route"] = [*copy.deepcopy(theirs), {**ours[0], "weight": 60}]

    scene.edit(split)
    scene.write(ALL_STABLE)
    (found,) = scene.owners()
    assert scene.host(CANDIDATE) not in found
    assert sum(found.values()) == 100
    for each in theirs:
        assert found[hosts.label_of(each, "shop")] >= 20


def test_a_condition_that_owners_added_refuses_no_revert_of_users_who_stay():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=50, sticky=Sticky("rel")))
    scene.edit(lambda found: last(found).update(match=[{"headers": {"cookie": {"regex": ".*shop=1.*"}}}]))
    with pytest.raises(Refused, match="second condition"):
        scene.write(Traffic(weight=60, sticky=Sticky("rel", (50,))))
    scene.write(BACK)
    assert scene.owners() == [{scene.host(STABLE): 100}]
    assert [one["name"] for one in stamps.http(scene.stored())] == ["delivery-checkout.probe", "main"]


def test_a_route_that_owners_renamed_is_reverted_too():
    named = Place("shop", "checkout", "checkout", routes=(RouteRef("checkout", ("main",)),))
    scene = Scene(named, HOME)
    scene.write(Traffic(weight=50))
    scene.edit(lambda found: last(found).update(name="main-v2"))
    with pytest.raises(Refused, match="no HTTP route called main"):
        scene.write(Traffic(weight=60))
    scene.write(ALL_STABLE)
    assert scene.owners() == [{"checkout.shop.svc.cluster.local": 100}]


@pytest.mark.parametrize("change", ["gone", "renamed", "elsewhere"])
def test_what_owners_made_of_one_virtual_service_keeps_no_other_from_its_revert(change):
    both = tuple(RouteRef(name, ("main",)) for name in ("checkout", "internal"))
    named = Place("shop", "checkout", "checkout", routes=both)
    scene = Scene(named, HOME, virtual_service(), virtual_service(name="internal"))
    scene.write(Traffic(weight=50))
    if change == "gone":
        scene.kube.remove(scene.stored())
    else:
        name, entry = ("other", OWN) if change == "renamed" else ("main", {"destination": {"host": "legacy"}})
        scene.edit(lambda found: last(found).update(name=name, route=[copy.deepcopy(entry)]))
    with pytest.raises(Refused, match=r"checkout"):
        scene.write(Traffic(weight=60))
    scene.write(ALL_STABLE)
    assert scene.owners("internal") == [{"checkout.shop.svc.cluster.local": 100}]
    assert scene.dseq() == scene.seq


def test_a_virtual_service_that_is_not_there_is_told_where_anything_is_to_be_raised():
    named = Place("shop", "checkout", "checkout", routes=(RouteRef("checkout"), RouteRef("gone")))
    scene = Scene(named, HOME)
    with pytest.raises(Refused, match=r"there is no VirtualService shop/gone: create it, or correct `routes`"):
        scene.write(Traffic(weight=5))
    with pytest.raises(Refused, match=r"there is no VirtualService shop/gone"):
        scene.write(Traffic(mirror=Mirror(5)))
    assert "annotations" not in scene.stored()["metadata"]


def test_with_no_route_left_there_is_nothing_to_revert_and_nothing_proven():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=50))
    scene.kube.remove(scene.stored())
    live = scene.write(ALL_STABLE)
    assert (live.stamp, live.content, live.weight) == (None, "", 0)
    found = scene.mesh.confirm(TARGET, ReleaseId("rel_1"), scene.seq)
    assert not found.proven
    assert "no VirtualService of namespace shop" in found.missing[0]
    with pytest.raises(Refused, match="no VirtualService of namespace shop"):
        scene.write(Traffic(weight=5))


def test_without_our_stamp_each_is_lowered_whatever_happens_to_the_others():
    both = tuple(map(RouteRef, ("checkout", "internal")))
    named = Place("shop", "checkout", "checkout", routes=both)
    scene = Scene(named, HOME, virtual_service(), virtual_service(name="internal"))
    scene.write(Traffic(weight=50))
    for name in ("checkout", "internal"):
        scene.edit(lambda found: found["metadata"]["annotations"].pop(stamps.key("checkout")), name)
    scene.kube.refuses.add("checkout")
    with pytest.raises(Refused, match="webhook"):
        scene.write(Traffic(weight=60))
    assert shares(last(scene.stored("internal")))[scene.host(CANDIDATE)] == 50, "all are raised or none"
    with pytest.raises(Refused, match="webhook"):
        scene.write(ALL_STABLE)
    assert scene.owners("internal") == [{"checkout.shop.svc.cluster.local": 100}]


def test_a_write_that_came_too_late_is_made_again_at_once_also_where_another_is_refused():
    both = tuple(map(RouteRef, ("checkout", "internal")))
    named = Place("shop", "checkout", "checkout", routes=both)
    scene = Scene(named, HOME, virtual_service(), virtual_service(name="internal"))
    scene.write(Traffic(weight=50))
    scene.kube.refuses.add("checkout")
    read = scene.mesh.read(TARGET)
    scene.kube.put(scene.stored("internal"))
    route = Route(TARGET, "checkout", HOME, CANDIDATE, ALL_STABLE, "7")
    with pytest.raises(Conflict):
        scene.mesh.write(route, Stamp(1, ReleaseId("rel_1"), 9, 9, "head"), read.revision)


def test_a_write_that_is_repeated_after_its_stamp_was_taken_is_told_from_the_first():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=50))
    first = answer(scene)
    scene.edit(lambda found: found["metadata"]["annotations"].pop(stamps.key("checkout")))
    scene.seq -= 1
    scene.write(Traffic(weight=50))
    assert answer(scene) != first, "a proxy that still runs the first would prove the second"


def answer(scene):
    return stamps.http(scene.stored())[0]["directResponse"]["body"]["string"]


def test_a_first_version_that_goes_back_leaves_the_owners_other_destinations():
    scene = Scene(VERSIONED, None)
    scene.write(Traffic(weight=100))
    scene.edit(lambda found: last(found)["route"].append(copy.deepcopy(LEGACY)))
    scene.write(ALL_STABLE)
    assert scene.owners() == [{"legacy.shop.svc.cluster.local": 10}]
    assert document.named(scene.stored()).isdisjoint({scene.host(CANDIDATE)})


def test_a_preview_ends_where_owners_have_a_destination_of_their_own():
    scene = Scene(CLONED, HOME)
    preview = Rule("preview", (Match(headers=(HeaderMatch("x-beta", MatchKind.EXACT, "1"),)),))
    scene.write(Traffic(rules=(preview,)))
    scene.edit(lambda found: last(found)["route"].append(copy.deepcopy(LEGACY)))
    scene.write(ALL_STABLE)
    assert [one["name"] for one in stamps.http(scene.stored())] == ["delivery-checkout.probe", "main"]


def test_a_mark_that_somebody_deleted_refuses_no_revert_to_a_version_that_is_there():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=100))
    mark = {"namespace": "shop", "name": object_name(STABLE, Lane.SHADOW)}
    scene.kube.remove({"apiVersion": "v1", "kind": "Service", "metadata": mark})
    with pytest.raises(Refused, match="is not published"):
        scene.write(Traffic(weight=50))
    scene.write(ALL_STABLE)
    assert scene.owners() == [{scene.host(STABLE): 100}]


def test_a_version_that_is_not_there_at_all_is_nothing_to_go_back_to():
    scene = Scene(VERSIONED, STABLE)
    scene.write(Traffic(weight=100))
    for lane in Lane:
        name = {"namespace": "shop", "name": object_name(STABLE, lane)}
        scene.kube.remove({"apiVersion": "v1", "kind": "Service", "metadata": name})
    with pytest.raises(Refused, match="is not published"):
        scene.write(ALL_STABLE)
