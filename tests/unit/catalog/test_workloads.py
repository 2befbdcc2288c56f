"""What a service file says of Deployments in Kubernetes, by cluster, and every way in which that can be wrong."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from delivery.catalog.workloads import DEPLOYMENT, Runs
from delivery.model.mistake import Invalid
from delivery.model.place import Isolation, Mode, Parameter, Place, Promotion, RouteRef, Told
from delivery.model.service import Workload
from tests.unit.catalog.test_service import OFFERS, read, refused

SMALLEST = "service: checkout\ncluster: prod-eu\nnamespace: shop\nworkload: {deployment: checkout}\n"
WRONG = [
    pair.split("\n")
    for pair in (Path(__file__).parent / "wrong_places.txt").read_text(encoding="utf-8").strip().split("\n\n")
]
"""A line of a service file, and what its mistake begins with."""
HOME = Place("shop", "checkout", "checkout")


def without(keys: Iterable[str], text: str = SMALLEST) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if line.partition(":")[0] not in keys)


def test_the_smallest_file_of_a_cluster_has_its_defaults() -> None:
    service = read(SMALLEST, OFFERS)
    assert service.workload == Workload("deployment", "checkout", HOME)
    assert service.targets == {}
    place = service.workload_in("prod-eu").place
    assert place is not None
    assert (place.mode, place.isolation, place.keep_capacity) == (Mode.CLONE, Isolation.SERVICE, True)
    assert (place.routes, place.port, place.promotion) == ((), None, Promotion.PATCH)
    assert read(SMALLEST) == service, "a stored file is read without the server's offers"


def test_everything_that_can_be_said_of_a_place() -> None:
    service = read(
        """
service: checkout
cluster: prod-eu
namespace: pay
workload:
  deployment: checkout.v1
  service: checkout-public
  mode: versioned
  candidate: "checkout-{version}"
  isolation: subset
  keep_stable_capacity: false
  port: 8080
routes: [{virtual_service: public, names: [api, web]}, {virtual_service: mesh}]
config: {track: [configmap/checkout, secret/keys], share: [secret/checkout-db]}
""",
        OFFERS,
    )
    assert service.workload.place == Place(
        namespace="pay",
        deployment="checkout.v1",
        service="checkout-public",
        mode=Mode.VERSIONED,
        isolation=Isolation.SUBSET,
        candidate="checkout-{version}",
        routes=(RouteRef("public", ("api", "web")), RouteRef("mesh")),
        port=8080,
        keep_capacity=False,
        track=("configmap/checkout", "secret/keys"),
        share=("secret/checkout-db",),
    )


def test_promotion_may_be_left_to_people() -> None:
    place = read(SMALLEST + "promotion: {via: none}\n", OFFERS).workload.place
    assert place == replace(HOME, promotion=Promotion.NONE)
    versioned = 'workload: {deployment: checkout, mode: versioned, candidate: "checkout-{version}"}\n'
    said = refused(without(["workload"]) + versioned + "promotion: {via: patch}\n")
    assert said == ["5: promotion is about copies that we make of a Deployment; expected mode: clone, or no promotion"]


@pytest.mark.parametrize(
    ("section", "parameter"),
    [
        ("parameter: image.tag", Parameter("shop", "image.tag")),
        ("parameter: image.digest, value: digest", Parameter("shop", "image.digest", value=Told.DIGEST)),
        ("image: ghcr.io/acme/checkout", Parameter("shop", "ghcr.io/acme/checkout", kustomize=True, value=Told.IMAGE)),
    ],
)
def test_argo_cd_is_told_by_a_parameter(section: str, parameter: Parameter) -> None:
    place = read(SMALLEST + f"promotion: {{via: argocd, application: shop, {section}}}\n", OFFERS).workload.place
    assert place == replace(HOME, promotion=Promotion.ARGOCD, parameter=parameter)


def test_a_promotion_that_nobody_could_do_is_refused_before_anything_begins() -> None:
    offers = replace(OFFERS, clusters={"prod-eu": Runs(frozenset((DEPLOYMENT,)), ["shop"], [])})
    with pytest.raises(Invalid) as caught:
        read(SMALLEST + "promotion: {via: argocd, application: shop, parameter: image.tag}\n", offers)
    assert "[clusters.prod-eu.deployers.argocd]" in str(caught.value)


def test_a_cluster_may_differ_in_each_of_three_things() -> None:
    service = read(
        """
service: checkout
cluster: [prod-eu, prod-us, local]
namespace: shop
workload: {deployment: checkout, mode: observe, appear_within: 5m}
routes: [{virtual_service: public}]
targets:
  prod-eu: {namespace: pay, routes: [{virtual_service: eu}]}
  prod-us: {workload: {deployment: checkout-us}}
  local: {workload: {process: checkout}}
config: {track: [configmap/checkout]}
""",
        OFFERS,
    )
    tracked = replace(HOME, track=("configmap/checkout",))
    europe = replace(tracked, namespace="pay", routes=(RouteRef("eu"),), mode=Mode.OBSERVE)
    america = replace(tracked, deployment="checkout-us", service="checkout-us", routes=(RouteRef("public"),))
    assert service.workload_in("prod-eu") == Workload("deployment", "checkout", europe)
    assert service.workload_in("prod-us") == Workload("deployment", "checkout-us", america)
    assert service.workload_in("local") == Workload("process", "checkout")


def test_what_no_cluster_of_the_file_can_use_is_a_mistake() -> None:
    processes = refused(without(["cluster"]) + "cluster: local\nroutes: [{virtual_service: a}]\nconfig: {}\n")
    assert [one.partition(" ")[2].partition(" is ")[0] for one in processes] == [
        "namespace",
        "workload.deployment",
        "workload.process",
        "routes",
        "config",
    ]
    own = "targets: {prod-eu: {namespace: pay, workload: {deployment: b}, routes: [{virtual_service: b}]}}\n"
    said = refused(SMALLEST + "routes: [{virtual_service: a}]\n" + own)
    used_nowhere = "is used nowhere: each cluster has its own below targets"
    assert said == [
        f"3: namespace {used_nowhere}",
        f"4: workload.deployment {used_nowhere}",
        f"5: routes {used_nowhere}",
    ]
    kept = read(without(["namespace", "workload"]) + "workload: {rollback_window: 2h}\n" + own, OFFERS)
    assert kept.workload.name == "b"


def test_a_process_below_targets_has_nothing_of_a_deployment() -> None:
    text = without(["cluster"]) + "cluster: [prod-eu, local]\n"
    said = refused(text + "targets: {local: {namespace: shop, workload: {process: checkout, port: 1}}}\n")
    problem = "is not available in local, which runs processes: take it out, or say below targets what runs in local"
    assert said == [f"5: targets.local.{key} {problem}" for key in ("workload.port", "namespace")]


def test_one_workload_for_both_kinds_of_cluster_is_a_mistake() -> None:
    said = refused(without(["cluster"]) + "cluster: [prod-eu, local]\n")
    problem = "is not available in local, which runs processes: take it out, or say below targets what runs in local"
    assert said[0] == f"3: workload.deployment {problem}"
    both = refused(without(["workload"]) + "workload: {deployment: checkout, process: checkout}\n", None)
    assert both == ["4: workload.process is not available where Deployments run: take it out"]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line[:60] for line, _ in WRONG])
def test_each_mistake_is_told_with_its_line(line: str, said: str) -> None:
    kept = without([line.partition(":")[0]])
    mistakes = refused(f"{kept}# a comment\n{line}")
    assert [one for one in mistakes if one.startswith(f"{kept.count(chr(10)) + 2}: {said}")], mistakes
