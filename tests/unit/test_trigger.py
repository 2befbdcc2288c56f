import pytest

from delivery.adapters.catalog.yaml_file import read_text
from delivery.model.ids import Principal
from delivery.model.mistake import Invalid
from delivery.model.notice import Happened
from delivery.model.trigger import Trigger, filled
from delivery.wiring import parse

FACTS = {
    "repository": "acme/checkout",
    "branch": "release/1.4",
    "sha": "4be1d0c9f2c4",
    "image": "ghcr.io/acme/checkout:x",
}
EVENT = Happened("workflow_run", FACTS, Principal("alice"), {"commit": "4be1d0c9f2c4"})


def trigger(**changes):
    return Trigger(**{"source": "github", "event": "workflow_run", "version": "{sha:7}", **changes})


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({}, True),
        ({"branch": "release/*"}, True),
        ({"branch": "release/*", "repository": "acme/checkout"}, True),
        ({"branch": "main"}, False),
        ({"branch": "RELEASE/*"}, False),
        ({"tag": "*"}, False),
    ],
)
def test_every_condition_has_to_hold(where, fits):
    assert trigger(where=where).fits("github", EVENT) is fits


def test_another_source_or_event_is_not_meant():
    assert not trigger().fits("gitlab", EVENT)
    assert not trigger(event="release").fits("github", EVENT)


def test_a_request_is_made_of_facts():
    request = trigger(image="registry/{branch}:{sha}", cluster="prod").request("checkout", EVENT)
    assert (request.service, request.cluster, request.actor) == ("checkout", "prod", "alice")
    assert (request.version.version, request.version.image) == ("4be1d0c", "registry/release/1.4:4be1d0c9f2c4")
    assert request.origin == EVENT.origin
    assert trigger().request("checkout", EVENT).version.image == FACTS["image"], "the event's own, where it has one"


def test_a_fact_that_is_missing_is_named():
    with pytest.raises(KeyError, match="tag"):
        filled("{tag}", FACTS)


FILE = """
service: checkout
cluster: local
workload: {process: checkout}
triggers:
  - source: github
    event: workflow_run
    where: {repository: acme/checkout, branch: "release/*"}
    version: "{sha:7}"
    image: "ghcr.io/acme/checkout:{sha}"
"""


def test_a_service_file_says_them():
    (read,) = parse(read_text(FILE)).triggers
    where = {"repository": "acme/checkout", "branch": "release/*"}
    assert read == Trigger("github", "workflow_run", where, "{sha:7}", "ghcr.io/acme/checkout:{sha}")


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ('version: "{sha:7}"', 'version: "{sha:seven}"'),
        ('version: "{sha:7}"', 'version: "{Sha}"'),
        ("event: workflow_run", "event: Workflow Run"),
        ("branch:", "Branch:"),
        ("source: github", "sources: github"),
    ],
)
def test_mistakes_are_named(wrong, place):
    with pytest.raises(Invalid, match="triggers"):
        parse(read_text(FILE.replace(wrong, place)))
