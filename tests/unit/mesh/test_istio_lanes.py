"""Services and subsets of a version, the marks on them, and the configuration of the mesh."""

import time

import pytest

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.kube import marks
from delivery.adapters.mesh.istio import lanes, moments, writing
from delivery.adapters.mesh.istio.configured import make_mesh
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.model.ids import target_id
from delivery.model.place import Place, object_name
from delivery.model.version import Backend, Lane, VersionRef
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.registry import MESHES, Surroundings, UnknownName
from delivery.settings import Adapter
from delivery.wiring.adapters import make

TARGET = target_id("checkout", "prod")
PLACE = Place("shop", "checkout", "checkout")
BACKEND, OTHER = (Backend("checkout", VersionRef(label, label)) for label in ("1.4.2", "1.4.1"))
PLAIN = {
    "metadata": {
        "name": "checkout-142",
        "namespace": "shop",
        "annotations": {"networking.istio.io/exportTo": ".", "other": "x"},
        "labels": {"app": "checkout"},
    },
    "spec": {
        "type": "NodePort",
        "clusterIP": "10.0.0.1",
        "selector": {"app": "x"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30000, "appProtocol": "http"}],
    },
}


def test_a_lane_has_the_pods_and_ports_and_nothing_that_has_one_owner():
    made = lanes.lane_service(PLAIN, BACKEND, Lane.SHADOW, TARGET, "abc")
    assert made["metadata"]["name"] == object_name(BACKEND, Lane.SHADOW)
    assert made["metadata"]["annotations"] == {marks.TARGET: TARGET, "networking.istio.io/exportTo": "."}
    assert made["metadata"]["labels"][lanes.PUBLISHED] == "abc"
    ports = [{"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}]
    assert made["spec"] == {"selector": {"app": "x"}, "ports": ports}
    assert marks.is_ours(made, TARGET)


def endpoint(*addresses, ready=True):
    return {"addresses": list(addresses), "conditions": {"ready": ready}}


def test_addresses_are_those_of_ready_pods():
    slices: list[dict] = [
        {"metadata": {"labels": {lanes.SERVICE_NAME: "a"}}, "endpoints": [endpoint("2"), endpoint("3", ready=False)]},
        {"metadata": {"labels": {lanes.SERVICE_NAME: "a"}}, "endpoints": [endpoint("1"), {"addresses": ["4"]}]},
        {"metadata": {"labels": {lanes.SERVICE_NAME: "b"}}, "endpoints": [endpoint("9")]},
        {"metadata": {"labels": {lanes.SERVICE_NAME: "a"}}, "endpoints": None},
    ]
    assert lanes.addresses(slices, "a") == ("1", "2", "4")
    assert lanes.mark(("1", "2")) != lanes.mark(("1",))


def test_subsets_come_and_go_beside_those_of_other_versions():
    first = lanes.with_subsets(None, OTHER, PLACE, TARGET, {"version": "1.4.1"}, ["."])
    both = lanes.with_subsets(first, BACKEND, PLACE, TARGET, {"version": "1.4.2"}, ["."])
    assert len(both["spec"]["subsets"]) == 6
    assert both["spec"]["exportTo"] == ["."]
    assert both["spec"]["host"] == "checkout.shop.svc.cluster.local"
    assert lanes.with_subsets(both, BACKEND, PLACE, TARGET, {"version": "1.4.2"}, ["."]) == both
    left = lanes.without_subsets(both, OTHER) or {}
    assert {each["labels"]["version"] for each in left["spec"]["subsets"]} == {"1.4.2"}
    assert lanes.without_subsets(left, OTHER) == left
    assert lanes.without_subsets(left, BACKEND) is None
    assert "exportTo" not in lanes.with_subsets(both, BACKEND, PLACE, TARGET, {"version": "1.4.2"}, None)["spec"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({marks.BACKEND: "b", "version": "v"}, {marks.BACKEND: "b"}),
        ({"version": "v", "app": "x"}, {"version": "v"}),
        ({"app": "x"}, {}),
        (None, {}),
    ],
)
def test_a_subset_selects_by_what_tells_versions_apart(labels, told):
    assert lanes.subset_labels({"metadata": {"labels": labels}}) == told


def test_a_write_is_known_by_its_own_moment_and_others_by_what_the_server_noted():
    known = moments.Moments()
    assert known.during("a", "1", lambda: 7) == 7
    noted = {
        "metadata": {"creationTimestamp": "2020-01-01T00:00:00Z", "managedFields": [{"time": "2020-01-02T00:00:00Z"}]}
    }
    ours, theirs = known.of("a", "1", noted), known.of("a", "2", noted)
    assert time.monotonic() - ours.last < 5
    assert ours.first <= ours.last
    assert theirs.last < ours.first
    assert time.time() - (time.monotonic() - theirs.last) == pytest.approx(1577923200 + 1 + moments.SKEW, abs=2)
    known.during("a", "2", lambda: 8)
    assert known.of("a", "1", noted) != ours, "only the newest write of a thing is kept"
    unknown = moments.changed({"metadata": {}})
    assert unknown.first < time.monotonic() < unknown.last, "as if it were just now"


class Store:
    """A Kube whose objects are by name; some writes fail."""

    def __init__(self, *documents):
        self.objects = {each["metadata"]["name"]: each for each in documents}
        self.fail = {}
        self.dry = []

    def replace(self, body, *, dry_run=False):
        name, metadata = body["metadata"]["name"], body["metadata"]
        if dry_run:
            self.dry.append(name)
        failing = self.fail.get((name, dry_run))
        if failing:
            raise failing
        if metadata["resourceVersion"] != self.objects[name]["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        done = {**body, "metadata": {**metadata, "resourceVersion": str(int(metadata["resourceVersion"]) + 1)}}
        if not dry_run:
            self.objects[name] = done
        return done

    @property
    def weights(self):
        return {name: each["w"] for name, each in self.objects.items()}


def weighing(weight, *names):
    return [{"metadata": {"name": name, "resourceVersion": "1"}, "w": weight} for name in names]


def test_a_raise_is_tried_first_and_put_back_where_it_fails_halfway():
    before, after = weighing(0, "a", "b", "c"), weighing(9, "a", "b", "c")
    store = Store(*before)
    store.fail[("b", True)] = Refused("no")
    with pytest.raises(Refused):
        writing.raise_all(store, after, before)
    assert (store.weights, store.dry) == ({"a": 0, "b": 0, "c": 0}, ["a", "b"])
    store.fail = {("c", False): Unavailable("gone")}
    with pytest.raises(Unavailable):
        writing.raise_all(store, after, before)
    assert store.weights == {"a": 0, "b": 0, "c": 0}
    store = Store(*before)
    assert [each["w"] for each in writing.raise_all(store, after, before)] == [9, 9, 9]
    single = Store(*before)
    writing.raise_all(single, after[:1], before[:1])
    assert single.dry == [], "one object is all or nothing by itself"


def test_what_cannot_be_put_back_is_left_to_be_seen():
    before, after = weighing(0, "a", "b"), weighing(9, "a", "b")
    store = Store(*before)

    def fails(body, *, dry_run=False):
        if not dry_run and body["metadata"]["name"] == "b":
            store.fail[("a", False)] = Unavailable("gone")
            raise Conflict("changed")
        return Store.replace(store, body, dry_run=dry_run)

    store.replace = fails  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        writing.raise_all(store, after, before)
    assert store.weights == {"a": 9, "b": 0}


def test_each_is_lowered_whatever_happens_to_the_others():
    store = Store(*weighing(9, "a", "b", "c"))
    store.fail[("b", False)] = Unavailable("gone")
    with pytest.raises(Unavailable):
        writing.lower(store, weighing(0, "a", "b", "c"))
    assert store.weights == {"a": 0, "b": 9, "c": 0}


@pytest.fixture
def kubeconfig(tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "a", "users": [{"name": "a", "user": {}}],'
        ' "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],'
        ' "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}]}'
    )
    return str(file)


@pytest.mark.parametrize(
    ("gateways", "reason"),
    [
        ({"ingress": {"addresses": ["a:1"]}}, "NAMESPACE/NAME"),
        ({"a/b": {"addresses": []}}, "expected addresses"),
        ({"a/b": {"addresses": ["a"]}}, "expected addresses"),
        ({"a/b": {"addresses": ["a:1"], "port": 2}}, "expected addresses"),
        ({"a/b": {"pods": "x=y"}}, "expected addresses"),
        ({"a/b": {"pods": "x=y", "port": "2"}}, "expected addresses"),
        ({"a/b": {"pods": "x=y", "port": 2, "more": 1}}, "expected addresses"),
        ({"a/b": {"addresses": ["a:1"], "tls": "yes"}}, "tls: expected true or false"),
        ({"a/b": 7}, "a table"),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_place(kubeconfig, gateways, reason):
    with pytest.raises(TypeError, match=reason):
        make_mesh("prod", lambda target: PLACE, (kubeconfig, None), gateways, (None, None))


def test_a_mesh_is_made_without_a_connection(kubeconfig):
    gateways = {"a/b": {"addresses": ["a:1"], "tls": True}, "a/c": {"pods": "x=y", "port": 2, "namespace": "d"}}
    for istiod in (None, {}, {"addresses": ["127.0.0.1:1"]}):
        make_mesh("prod", lambda target: PLACE, (kubeconfig, None), gateways, (istiod, "token")).close()
    assert Fixed(("a:1",)).find() == {"a:1": "a:1"}


def test_a_kubeconfig_that_is_not_there_is_a_mistake_in_the_configuration(tmp_path):
    around = Surroundings("prod", SystemClock(), lambda target: PLACE)
    adapter = Adapter(kind="istio", kubeconfig=str(tmp_path / "none"))
    with pytest.raises(UnknownName, match=r"clusters.prod.mesh: no access to the Kubernetes API"):
        make(MESHES, adapter, "clusters.prod.mesh", around)
