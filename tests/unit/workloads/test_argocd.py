"""Applications as Argo CD's API has them: which parameter is set, and what of the status counts."""

import copy
from typing import Any

import pytest

from delivery.adapters.workloads.argocd import application as app
from delivery.adapters.workloads.argocd import parameters
from delivery.adapters.workloads.told import may_run
from delivery.model.place import Parameter, Told
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused

DIGEST = f"sha256:{'b' * 64}"
IMAGE = f"ghcr.io/acme/checkout:1.10@{DIGEST}"
VERSION = VersionRef.of("v1.10", IMAGE)
TAG = Parameter("checkout", "image.tag")
KUSTOMIZE = Parameter("checkout", "acme/checkout", kustomize=True, value=Told.IMAGE)
CHART = {"repoURL": "https://charts.example.org", "chart": "checkout", "targetRevision": "1.2.3"}


def application(source: object = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "checkout", "namespace": "argocd"}
    return {"metadata": metadata, "spec": {"source": source or CHART, "project": "shop", **spec}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(Told.TAG, "1.10"), (Told.DIGEST, DIGEST), (Told.IMAGE, IMAGE), (Told.VERSION, "v1.10")],
)
def test_a_parameter_is_set_to_what_it_is_about(value, expected):
    assert parameters.value_of(VERSION, Parameter("checkout", "x", value=value)) == expected


def test_kustomize_is_told_the_name_and_what_replaces_it():
    assert parameters.value_of(VERSION, KUSTOMIZE) == f"acme/checkout={IMAGE}"


@pytest.mark.parametrize("image", [None, f"ghcr.io/acme/checkout@{DIGEST}"])
def test_a_version_without_a_tag_cannot_be_told_by_one(image):
    with pytest.raises(Refused, match="has no tag to set"):
        parameters.value_of(VersionRef.of("1.10", image), TAG)


def test_a_tag_that_looks_like_a_number_stays_a_text():
    changed = parameters.with_value(application(), TAG, "1.10")
    assert changed["spec"]["source"]["helm"]["parameters"] == [
        {"name": "image.tag", "value": "1.10", "forceString": True}
    ]


def test_everything_else_stays_as_it_is():
    helm: dict[str, Any] = {
        "valueFiles": ["prod.yaml"],
        "parameters": [{"name": "a", "value": "1"}, {"name": "image.tag", "value": "1.9"}],
    }
    before = application({**CHART, "helm": helm}, destination={"namespace": "shop"})
    kept = copy.deepcopy(before)
    changed = parameters.with_value(before, TAG, "1.10")
    assert before == kept
    assert parameters.current(changed, TAG) == "1.10"
    changed["spec"]["source"]["helm"]["parameters"][1] = helm["parameters"][1]
    assert changed == before
    same = parameters.with_value(before, TAG, "1.9")
    assert same == before, "an entry that says it already stays as its owners wrote it"


@pytest.mark.parametrize(
    "entry", ["acme/checkout=ghcr.io/acme/checkout:1.9", "acme/checkout:1.9", f"acme/checkout@{DIGEST}"]
)
def test_an_image_of_kustomize_is_found_in_every_form(entry):
    before = application({"path": "overlays/prod", "kustomize": {"images": ["acme/cart:1", entry]}})
    assert parameters.current(before, KUSTOMIZE) == entry
    changed = parameters.with_value(before, KUSTOMIZE, "acme/checkout=x:1.10")
    assert changed["spec"]["source"]["kustomize"]["images"] == ["acme/cart:1", "acme/checkout=x:1.10"]


def test_of_several_sources_the_one_that_is_meant():
    values = {"repoURL": "https://git.example.org/values", "ref": "values"}
    several = application()
    del several["spec"]["source"]
    several["spec"]["sources"] = [values, CHART]
    changed = parameters.with_value(several, TAG, "1.10")
    assert changed["spec"]["sources"][0] == values
    assert changed["spec"]["sources"][1]["helm"]["parameters"][0]["value"] == "1.10"
    several["spec"]["sources"] = [CHART, {**CHART, "chart": "other"}]
    with pytest.raises(Refused, match="has 2 sources"):
        parameters.current(several, TAG)
    several["spec"]["sources"][1]["helm"] = {"parameters": [{"name": "image.tag", "value": "1"}]}
    assert parameters.current(several, TAG) == "1"


RUNNING = {"phase": "Running", "message": "waiting for healthy state"}
OURS = {"info": [{"name": "progressive-delivery", "value": "rel/5"}], "sync": {}}
AUTO = {"automated": {"selfHeal": True}}


@pytest.mark.parametrize(
    ("state", "policy", "fails"),
    [
        ({"phase": "Failed", "message": "m", "operation": OURS}, {}, True),
        ({"phase": "Failed", "message": "m", "operation": {"sync": {}}}, {}, False),
        ({"phase": "Failed", "message": "m", "syncResult": {"source": CHART}}, AUTO, True),
        (
            {"phase": "Failed", "message": "m", "syncResult": {"source": {**CHART, "targetRevision": "1.2.2"}}},
            AUTO,
            False,
        ),
        ({"phase": "Succeeded", "operation": OURS}, {}, False),
        ({}, AUTO, False),
    ],
)
def test_only_a_failure_of_what_it_says_now_is_one(state, policy, fails):
    found = {**application(syncPolicy=policy), "status": {"operationState": state}}
    assert bool(app.failed(found, "rel/5")) is fails


def test_an_operation_that_runs_or_was_asked_for_is_waited_for():
    assert "waiting for healthy state" in app.operating({**application(), "status": {"operationState": RUNNING}})
    assert app.operating({**application(), "operation": {"sync": {}}})
    assert app.operating(application()) == ""


def test_what_we_ask_for_is_one_object_at_the_commit_that_was_synced():
    found = application(syncPolicy={"syncOptions": ["ApplyOutOfSyncOnly=true"]})
    found["status"] = {"operationState": {"phase": "Succeeded", "syncResult": {"revision": "4be1d0c"}}}
    asked = app.operation(found, {"kind": "Deployment"}, "rel/5", "us")
    assert asked["sync"] == {
        "resources": [{"kind": "Deployment"}],
        "revision": "4be1d0c",
        "syncOptions": ["ApplyOutOfSyncOnly=true"],
    }
    found["status"]["operationState"]["operation"] = asked
    assert app.was_told(found, "rel/5")
    assert not app.was_told(found, "rel/6")


@pytest.mark.parametrize(
    ("image", "may"),
    [
        (IMAGE, True),
        ("ghcr.io/acme/checkout:1.10", True),
        ("ghcr.io/acme/checkout:v1.10", True),
        ("ghcr.io/acme/checkout:1.1", False),
        ("ghcr.io/acme/cart:1.10", False),
        (f"ghcr.io/acme/checkout:1.10@sha256:{'c' * 64}", False),
        (f"mirror.example.org/checkout@{DIGEST}", True),
    ],
)
def test_a_deployment_that_names_a_tag_may_run_a_version_that_is_known_by_its_digest(image, may):
    assert may_run(image, VERSION) is may
