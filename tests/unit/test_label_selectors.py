"""Selectors as Kubernetes understands them."""

import pytest

from delivery.adapters.kube import labels

WEB = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("selector", "query", "matches"),
    [
        ({"matchLabels": {"tier": "front", "app": "web"}}, "app=web,tier=front", True),
        ({"matchLabels": {"app": "api"}}, "app=api", False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]}, "app in (api,web)", True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, "app notin (web)", False),
        ({"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}, "env notin (dev)", True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, "tier", True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, "!tier", False),
        ({}, "", True),
    ],
)
def test_a_selector_matches_and_asks(selector, query, matches):
    assert labels.selects(selector, WEB) is matches
    assert labels.query(selector) == query


def test_no_selector_selects_nothing_and_a_services_empty_one_neither():
    assert not labels.selects(None, WEB)
    assert not labels.service_selects({}, WEB)
    assert not labels.service_selects(None, WEB)
    assert labels.service_selects({"app": "web"}, WEB)
