"""Gates as people write them: what is read, and every mistake with its place."""

import json

import pytest

from delivery.model.fields import Fields
from tests.unit.gates.play import KINDS, spec


def mistakes(words):
    kind = next(kind for kind in KINDS if kind in words)
    fields = Fields({"gates": {"g": words}}).sub("gates").sub("g")
    KINDS[kind].parse(fields)
    return [str(mistake) for mistake in fields.finish()]


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (
            {"ratio": "http_errors", "worse_than": 1.5, "floor": "0.05%", "objective": "1%", "min_requests": 500},
            {"worse_than": 1.5, "floor": 0.0005, "objective": 0.01, "min_requests": 500, "no_worse_than": None},
        ),
        (
            {"latency": "http_duration", "above": ["250ms", "1s", "250ms"], "worse_than": 1.2, "no_worse_than": 2},
            {"above": [250, 1000], "worse_than": 1.2, "no_worse_than": 2.0, "floor": 0.001},
        ),
        ({"latency": "http_duration", "above": "500ms"}, {"above": [500]}),
        (
            {"threshold": "http_success_rate", "at_least": "99%"},
            {"limit": 0.99, "above": None, "over": 60_000_000, "failure_limit": 3, "min_requests": 100},
        ),
        (
            {"threshold": "http_slow_rate", "at_most": "5%", "above": "250ms", "over": "2m", "failure_limit": 0},
            {"limit": 0.05, "above": 250, "over": 120_000_000, "failure_limit": 0},
        ),
    ],
)
def test_what_is_written_is_what_is_meant(words, params):
    found = spec(words).params
    assert {key: found[key] for key in params} == params
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        ({"ratio": "http_erors"}, "gates.g.ratio is 'http_erors'; expected http_errors"),
        ({"ratio": "http_errors", "worse_than": 0.9}, "gates.g.worse_than is 0.9; expected a number from 1 to 100"),
        ({"ratio": "http_errors", "no_worse_than": 1.1}, "gates.g.no_worse_than is 1.1; expected a number from 1.3"),
        ({"ratio": "http_errors", "floor": 0.1}, "gates.g.floor is 0.1; expected a percent"),
        ({"ratio": "http_errors", "objective": "0%"}, "gates.g.objective is '0%'; expected a percent from 0.0001%"),
        ({"ratio": "http_errors", "wrose_than": 2}, "gates.g.wrose_than is unknown, did you mean worse_than?"),
        ({"latency": "http_duration"}, "gates.g.above is missing; expected"),
        ({"latency": "http_duration", "above": []}, "gates.g.above is an empty list; expected a list of 1 or more"),
        ({"latency": "http_duration", "above": ["fast"]}, "gates.g.above[0] is 'fast'; expected a duration"),
        ({"latency": "http_duration", "above": "1s", "objective": "1%"}, "gates.g.objective is unknown"),
        ({"threshold": "http_success_rate"}, "gates.g.at_least is missing"),
        (
            {"threshold": "http_success_rate", "at_least": "99%", "at_most": "1%"},
            "gates.g.at_most does not go with http_success_rate",
        ),
        (
            {"threshold": "http_error_rate", "at_most": "1%", "above": "1s"},
            "gates.g.above does not go with http_error_rate",
        ),
        ({"threshold": "http_slow_rate", "at_most": "1%"}, "gates.g.above is missing"),
        (
            {"threshold": "http_error_rate", "at_most": "1%", "require": "pass"},
            "gates.g.require asks for a pass, which a threshold never says; expected no_fail",
        ),
    ],
)
def test_every_mistake_is_named(words, mistake):
    found = mistakes(words)
    assert len(found) == 1
    assert found[0].startswith(mistake)
