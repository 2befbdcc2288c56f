"""The owners' Deployment: what it runs, what is written of it, what is in the way, and what is kept for it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from delivery.adapters.workloads.kubernetes import capacity, identity, promotion
from delivery.adapters.workloads.kubernetes.clone import CONFIG, COPIED_FROM
from delivery.model.ids import target_id
from delivery.model.version import VersionRef
from tests.unit.workloads.charts import NEW, TARGET, autoscaler, deployment, pod

OLD_IMAGE = "registry.example/checkout:1.4.1"
NAMES = ("checkout",)


def twin(copied_from=OLD_IMAGE, uid="c-1"):
    return {"metadata": {"uid": uid, "annotations": {COPIED_FROM: copied_from}}}


def with_image(made, image):
    made["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return made


def promoted(made, version=NEW, config="", copied=None):
    return promotion.promoted(made, version, "checkout", config, copied)


# What it runs.


def test_a_tag_is_known_by_the_digest_that_its_pods_pulled():
    pods = [pod(imageID="registry.example/checkout@sha256:aaa")]
    found = identity.running(deployment(), pods, NAMES)
    assert found == VersionRef("1.4.1", "sha256:aaa", f"{OLD_IMAGE}@sha256:aaa")
    assert identity.running(deployment(), [], NAMES) == VersionRef("1.4.1", OLD_IMAGE, OLD_IMAGE)


@pytest.mark.parametrize(
    ("image", "labels", "label"),
    [
        ("checkout:1.4.1", {"app.kubernetes.io/version": "1.3"}, "1.4.1"),
        ("checkout:latest", {"app.kubernetes.io/version": "1.4.1", "version": "v1"}, "1.4.1"),
        ("checkout@sha256:0123456789abcdef", {"version": "v1"}, "v1"),
        ("checkout@sha256:0123456789abcdef", {}, "sha256:0123456789ab"),
        ("checkout", {}, "unknown"),
    ],
)
def test_people_read_the_tag_else_a_label(image, labels, label):
    assert identity.running(with_image(deployment(labels=labels), image), [], NAMES).version == label


def test_what_we_promoted_is_known_as_we_were_told_until_somebody_changes_it():
    made = promoted(deployment())
    assert identity.running(made, [], NAMES) == NEW
    assert identity.running(with_image(made, "registry.example/checkout:hotfix"), [], NAMES).version == "hotfix"


def config_map(text, kind="ConfigMap", uid="u-1"):
    return {"kind": kind, "metadata": {"name": "checkout", "uid": uid}, "data": {"settings": text}}


def test_tracked_configuration_makes_another_version_of_the_same_image():
    one = identity.running(deployment(), [], NAMES, lambda: [config_map("one")])
    two = identity.running(deployment(), [], NAMES, lambda: [config_map("two")])
    assert one.image == two.image
    assert one.identity != two.identity
    assert not identity.is_version(one, two)
    assert identity.is_version(one, VersionRef.of("1.4.1", OLD_IMAGE)), "an event knows the image alone"


def test_what_pods_were_started_with_counts_and_not_what_is_there_now():
    made = promoted(deployment(), config=identity.fingerprint([config_map("one")]))
    assert identity.started_with(made) == identity.fingerprint([config_map("one")])


def test_pods_are_only_started_anew_for_a_configuration_that_a_version_asks_for():
    one, two = (identity.fingerprint([config_map(text)]) for text in ("one", "two"))
    made = promoted(deployment(), config=one)
    for version in (NEW, replace(NEW, identity=f"{NEW.identity}+config:{one}")):
        assert promotion.is_promoted(made, version, "checkout", two), "it cannot be had back, or was not asked for"
    asked = replace(NEW, identity=f"{NEW.identity}+config:{two}")
    assert not promotion.is_promoted(made, asked, "checkout", two)
    assert promotion.is_promoted(promoted(made, asked, two), asked, "checkout", two)
    adopted = VersionRef("1.4.1", f"sha256:aaa+config:{one}", OLD_IMAGE)
    assert promotion.is_promoted(deployment(), adopted, "checkout", one), "the way back to what never left"


def test_a_secret_cannot_be_guessed_from_its_hash():
    secrets = [config_map("one", "Secret", uid) for uid in ("u-1", "u-2")]
    assert identity.fingerprint(secrets[:1]) != identity.fingerprint(secrets[1:])
    maps = [config_map("one", "ConfigMap", uid) for uid in ("u-1", "u-2")]
    assert identity.fingerprint(maps[:1]) == identity.fingerprint(maps[1:])


# What is written.


def test_only_the_image_and_our_notes_are_changed():
    before = deployment(pod={"initContainers": [{"name": "migrate", "image": OLD_IMAGE}]})
    after = promoted(before, config="abc")
    template = after["spec"]["template"]
    assert [one["image"] for one in template["spec"]["initContainers"] + template["spec"]["containers"]] == [
        NEW.image
    ] * 2
    assert template["metadata"].pop("annotations") == {CONFIG: "abc"}
    assert set(after["metadata"].pop("annotations")) == {identity.PROMOTED}
    before["metadata"].pop("annotations")
    template["spec"] = before["spec"]["template"]["spec"]
    assert after == before


def test_nothing_is_left_to_write_after_it():
    assert not promotion.is_promoted(deployment(), NEW, "checkout", "")
    assert promotion.is_promoted(promoted(deployment()), NEW, "checkout", "")


# What is in the way.


def test_it_may_be_patched_from_what_the_copy_was_made_from_and_from_what_we_had_put_there():
    assert promotion.in_the_way(deployment(), NEW, "checkout", twin()) == ""
    assert promotion.in_the_way(deployment(), NEW, "checkout", None) == "", "nothing is known: nothing is in the way"
    old = VersionRef.of("1.4.1", f"{OLD_IMAGE}@sha256:aaa")
    assert promotion.in_the_way(promoted(deployment()), old, "checkout", None) == "", "the way back"


def test_what_somebody_else_has_set_is_in_the_way():
    hot = with_image(deployment(), "registry.example/checkout:hotfix")
    fields: Any = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"checkout"}': {"f:image": {}}}}}}}
    hot["metadata"]["managedFields"] = [
        {"manager": "helm", "time": "2026-01-01T00:00:00Z", "fieldsV1": fields},
        {"manager": "kubectl-set", "time": "2026-01-02T00:00:00Z", "fieldsV1": fields},
        {"manager": "kube-controller-manager", "time": "2026-01-03T00:00:00Z", "fieldsV1": {"f:status": {}}},
    ]
    told = promotion.in_the_way(hot, NEW, "checkout", twin())
    assert "runs registry.example/checkout:hotfix, set by kubectl-set, and not registry.example/checkout:1.4.1" in told
    noted = with_image(promoted(deployment()), "registry.example/checkout:hotfix")
    assert "hotfix" in promotion.in_the_way(noted, NEW, "checkout", None)


def test_three_patches_that_are_set_back_are_enough():
    made = deployment()
    for _ in range(3):
        assert promotion.in_the_way(made, NEW, "checkout", twin()) == ""
        made = with_image(promoted(made, copied=twin()), OLD_IMAGE)
    assert "was patched to" in promotion.in_the_way(made, NEW, "checkout", twin())
    assert promotion.in_the_way(made, NEW, "checkout", twin(uid="c-2")) == "", "a new release begins anew"


def test_a_version_without_an_image_cannot_be_promoted():
    assert "did not say which image" in promotion.in_the_way(deployment(), VersionRef.of("1.4.2"), "checkout", None)


# What is kept.


@pytest.mark.parametrize(
    ("least", "most", "runs", "kept"), [(2, 6, 4, 4), (2, 3, 4, 3), (1, 6, 1, None), (4, 6, 3, None)]
)
def test_what_runs_now_is_kept_and_given_back(least, most, runs, kept):
    hpa = autoscaler(least, most)
    pinned = capacity.pinned(hpa, TARGET, runs)
    if kept is None:
        assert pinned is None
        return
    assert pinned is not None
    assert pinned["spec"]["minReplicas"] == kept
    assert capacity.pinned(pinned, TARGET, runs + 1) is None, "once"
    assert capacity.freed(pinned, TARGET) == hpa


def test_each_release_keeps_what_runs_when_it_begins():
    first = capacity.pinned(autoscaler(2, 9), TARGET, 4, "rel_1")
    assert first is not None
    assert capacity.pinned(first, TARGET, 6, "rel_1") is None, "once"
    second = capacity.pinned(first, TARGET, 6, "rel_2")
    assert second is not None
    assert second["spec"]["minReplicas"] == 6
    assert capacity.pinned(second, TARGET, 8, "rel_2") is None
    assert capacity.pinned(second, target_id("other", "prod"), 8, "rel_9") is None
    assert capacity.pinned(second, TARGET, 3, "rel_3") is None, "never less while an earlier one may go back"
    assert capacity.freed(second, TARGET) == autoscaler(2, 9)
    second["spec"]["minReplicas"] = 5
    assert capacity.pinned(second, TARGET, 8, "rel_3") is None, "somebody knows better"


def test_an_autoscaler_without_a_minimum_gets_one_and_loses_it_again():
    hpa = autoscaler()
    del hpa["spec"]["minReplicas"]
    pinned = capacity.pinned(hpa, TARGET, 4)
    assert pinned is not None
    freed = capacity.freed(pinned, TARGET)
    assert freed is not None
    assert freed["spec"]["minReplicas"] == 1, "what Kubernetes takes for none"


def test_who_sets_another_number_meanwhile_wins():
    pinned = capacity.pinned(autoscaler(), TARGET, 4)
    assert pinned is not None
    pinned["spec"]["minReplicas"] = 3
    assert capacity.pinned(pinned, TARGET, 4) is None
    freed = capacity.freed(pinned, TARGET)
    assert freed is not None
    assert freed["spec"]["minReplicas"] == 3
    assert capacity.PINNED not in freed["metadata"]["annotations"]


def test_what_another_target_keeps_is_not_freed():
    pinned = capacity.pinned(autoscaler(), TARGET, 4)
    assert pinned is not None
    assert json.loads(pinned["metadata"]["annotations"][capacity.PINNED])["target"] == TARGET
    assert capacity.freed(pinned, target_id("other", "prod")) is None
    assert capacity.freed(autoscaler(), TARGET) is None
