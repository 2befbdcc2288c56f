"""Notes of ours that somebody else has edited: what is not whole is none, and no fault of ours."""

import pytest

from delivery.adapters.workloads.kubernetes import capacity, clone, configuration, identity, promotion
from tests.unit.workloads.charts import NEW, TARGET, autoscaler, deployment

TEXTS = ("", "yes", "{", "[]", "7", "null", '"x"', "{}", '{"target": "checkout@prod"}', '{"image": "a", "before": []}')
BROKEN = pytest.mark.parametrize("text", TEXTS)


@BROKEN
def test_a_pin_that_is_not_whole_is_nobodys(text):
    hpa = autoscaler(annotations={capacity.PINNED: text})
    assert capacity.freed(hpa, TARGET) is None
    assert capacity.pinned(hpa, TARGET, 4, "rel_1") is None


@BROKEN
def test_a_promotion_that_is_not_whole_is_none(text):
    runs = "registry.example/checkout:1.4.1"
    noted = text.replace('"a"', f'"{runs}"')
    made = deployment(annotations={identity.PROMOTED: noted})
    assert identity.note(made) == {}
    assert identity.running(made, [], ("checkout",)).version == "1.4.1"
    assert promotion.in_the_way(made, NEW, "checkout", None) == ""
    assert promotion.spare_configuration(made) == frozenset()
    after = promotion.promoted(made, NEW, "checkout", "", None)
    assert identity.running(after, [], ("checkout",)) == NEW


@BROKEN
def test_names_of_configuration_that_are_not_whole_are_the_owners_own(text):
    made = deployment(annotations={configuration.NAMES: text})
    found = configuration.named(made)
    assert all(isinstance(value, str) for value in found.values())
    if text != '{"target": "checkout@prod"}':
        assert found == {}


@pytest.mark.parametrize("text", ["", "x", "1.5", "-3", "ten"])
def test_a_size_that_is_no_number_is_made_anew(text):
    made = deployment(annotations={clone.SHARE: text, clone.PODS: text})
    assert clone.sized_for(made) == 0, "so that it is sized again"
    assert clone.pods(made) == 1
