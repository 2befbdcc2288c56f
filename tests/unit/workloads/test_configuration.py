"""Tracked configuration: every place that reads it, its copies, and how it comes home and goes back."""

from dataclasses import replace

import pytest

from delivery.adapters.workloads.kubernetes import clone, configuration, identity, promotion
from delivery.model.place import Place
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused
from tests.unit.workloads.charts import NEW, copy, deployment, service

PLACE = Place("shop", "checkout", "checkout", track=("configmap/checkout", "secret/flags"), share=("secret/db",))
NAMES = configuration.of_copy(PLACE, "checkout-1-4-2-abcd1234")
FLAGS = VersionRef.of("1.4.1-flags.2", "registry.example/checkout:1.4.1", "4be1d0c")

READS = {
    "volumes": [
        {"name": "a", "configMap": {"name": "checkout"}},
        {"name": "b", "secret": {"secretName": "flags"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "checkout"}}, {"secret": {"name": "db"}}]}},
        {"name": "d", "emptyDir": {}},
    ],
    "initContainers": [
        {
            "name": "migrate",
            "image": "m",
            "envFrom": [{"secretRef": {"name": "db"}}, {"configMapRef": {"name": "more"}}],
        }
    ],
    "containers": [
        {
            "name": "checkout",
            "image": "registry.example/checkout:1.4.1",
            "env": [
                {"name": "PLAIN", "value": "checkout"},
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "checkout", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "flags", "key": "b"}}},
            ],
        }
    ],
}


def home(**changes):
    return deployment(pod=READS, **changes)


def twin(version=NEW, made_from=None, names=NAMES, config="c1"):
    wanted = copy(version=version, names=names, config=config)
    made = clone.deployment(made_from or home(), service(), wanted, 100)
    made["metadata"]["uid"] = f"copy-of-{version.version}"
    return made


def promoted(found, version, copied):
    names, config = promotion.configuration_for(found, version, copied)
    return promotion.promoted(found, version, "checkout", config, copied, names)


def reads(found):
    return configuration.read_by(found["spec"]["template"])


def test_every_place_that_names_an_object_is_known():
    assert reads(home()) == ("configmap/checkout", "configmap/more", "secret/db", "secret/flags")


def test_a_copy_reads_its_own_and_shares_the_rest():
    made = twin()
    assert reads(made) == (
        "configmap/checkout-1-4-2-abcd1234-checkout",
        "configmap/more",
        "secret/checkout-1-4-2-abcd1234-flags",
        "secret/db",
    )
    assert made["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "checkout", "no reference"
    assert configuration.named(made) == NAMES
    assert identity.started_with(made) == "c1"
    assert reads(home()) == ("configmap/checkout", "configmap/more", "secret/db", "secret/flags"), "stable is as it was"


def test_what_nobody_reads_and_what_nobody_names_is_told_also_once_its_pods_read_copies():
    brought = promoted(home(), NEW, twin())
    for found in (home(), brought):
        assert list(configuration.wrong(found, PLACE)) == []
        assert configuration.unnamed(found, PLACE) == ("configmap/more",)
        wrong = replace(PLACE, track=("configmap/chekout",), share=("secret/checkout",))
        track, share = configuration.wrong(found, wrong)
        assert "config.track has configmap/chekout, which none of its containers reads" in track
        assert "configmap/checkout, configmap/more, secret/db, secret/flags" in track
        assert "config.share has secret/checkout" in share


def test_promotion_brings_what_was_proven_home_and_the_way_back_what_was_there():
    found = home()
    brought = promoted(found, NEW, twin())
    assert reads(brought) == reads(twin())
    assert identity.started_with(brought) == "c1"
    assert identity.running(brought, [], ("checkout",)) == NEW
    old = VersionRef.of("1.4.1", "registry.example/checkout:1.4.1")
    back = promoted(brought, old, None)
    assert reads(back) == reads(found)
    assert configuration.named(back) == {}


def test_the_same_image_with_another_configuration_is_another_version():
    first = promoted(home(), NEW, twin())
    flags = replace(FLAGS, image=NEW.image, identity=f"{NEW.identity}+configured:4be1d0c")
    names = configuration.of_copy(PLACE, "checkout-flags")
    second = twin(flags, first, names, "c2")
    wanted, config = promotion.configuration_for(first, flags, second)
    assert not promotion.is_promoted(first, flags, "checkout", config, wanted)
    brought = promoted(first, flags, second)
    assert promotion.is_promoted(brought, flags, "checkout", config, wanted)
    assert identity.running(brought, [], ("checkout",)) == flags
    assert not identity.is_version(identity.running(first, [], ("checkout",)), flags)
    assert not identity.is_version(flags, NEW)
    wanted, config = promotion.configuration_for(brought, NEW, None)
    assert not promotion.is_promoted(brought, NEW, "checkout", config, wanted), "the image alone is not the version"
    back = promoted(brought, NEW, None)
    assert reads(back) == reads(first)
    assert identity.started_with(back) == "c1"
    again, config = promotion.configuration_for(back, NEW, None)
    assert promotion.is_promoted(back, NEW, "checkout", config, again)
    assert promoted(back, NEW, None)["spec"] == back["spec"], "to repeat it changes nothing"


def test_copies_are_kept_for_the_way_back_and_spare_afterwards():
    first = promoted(home(), NEW, twin())
    second = promoted(first, FLAGS, twin(FLAGS, first, configuration.of_copy(PLACE, "flags"), "c2"))
    assert set(configuration.objects(NAMES)) <= promotion.kept_configuration(second)
    spare = promotion.spare_configuration(second)
    assert set(configuration.objects(NAMES)) <= spare
    assert not spare & set(reads(second))
    third = promoted(second, NEW, twin(NEW, second, configuration.of_copy(PLACE, "third"), "c3"))
    assert spare | {"configmap/flags-checkout", "secret/flags-flags"} <= promotion.spare_configuration(third)


def test_pods_that_were_given_the_owners_object_again_run_something_else():
    brought = promoted(home(), NEW, twin())
    brought["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = "checkout"
    assert identity.running(brought, [], ("checkout",)).identity != NEW.identity


def test_a_copy_has_what_was_in_it_and_nobody_can_change_it():
    found = {
        "kind": "Secret",
        "metadata": {
            "name": "flags",
            "namespace": "shop",
            "uid": "u",
            "labels": {"app.kubernetes.io/instance": "shop"},
        },
        "type": "Opaque",
        "data": {"a": "Yg=="},
    }
    made = configuration.copied(found, "flags-of-it", {"ours": "yes"}, {"target": "t"})
    assert made == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "flags-of-it",
            "namespace": "shop",
            "labels": {"ours": "yes"},
            "annotations": {"target": "t"},
        },
        "immutable": True,
        "type": "Opaque",
        "data": {"a": "Yg=="},
    }
    with pytest.raises(Refused, match="service account"):
        configuration.copied({**found, "type": "kubernetes.io/service-account-token"}, "x", {}, {})
