"""A plan in words."""

from dataclasses import replace

import pytest

from delivery.model.ids import HOUR, MINUTE, GateId, Micros
from delivery.model.plan import Approval, GateSpec, LowTraffic, Plan, Then
from delivery.wording.plan import approval, ending, gate, stage, steps
from delivery.wording.units import THIN
from tests.unit.wording.builders import PLAN


def test_the_steps_of_a_canary():
    assert [step.replace(THIN, " ") for step in steps(Plan(PLAN.stages[1:3]))] == [
        "canary 5% (1/2): the candidate gets 5 % of requests for 5m and 50 requests or more; errors is watched",
        "canary 25% (2/2): the candidate gets 25 % of requests for 5m and 50 requests or more; errors is watched; "
        "before it, 1 of sre approves",
        "then everybody gets it",
        "at least 10m in all, unless gates pass early",
    ]


def test_a_stage_that_goes_on_without_traffic_says_so():
    lenient = replace(PLAN.stages[0], low_traffic=LowTraffic.ADVANCE, gates=())
    assert stage(Plan((lenient,)), 0).endswith("; with fewer requests it goes on after 15m all the same")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Approval(), "1 person approves"),
        (Approval(2), "2 people approve"),
        (Approval(2, "sre", Micros(4 * HOUR)), "2 of sre approve, within 4h"),
        (Approval(1, "sre", Micros(30 * MINUTE)), "1 of sre approves, within 30m"),
    ],
)
def test_approvals(wanted, sentence):
    assert approval(wanted) == sentence


@pytest.mark.parametrize(
    ("then", "promotion", "sentence"),
    [
        (None, None, "then everybody gets it"),
        (None, Approval(1, "sre"), "then everybody gets it, once 1 of sre approves"),
        (Then.ASK, Approval(), "then people are asked whether everybody gets it"),
        (Then.PROMOTE, None, "then everybody gets it, without asking"),
        (Then.WITHDRAW, None, "then everybody goes back to stable"),
    ],
)
def test_endings(then, promotion, sentence):
    assert ending(Plan(PLAN.stages, then=then, promotion=promotion)) == sentence


def test_gates_say_what_they_compare():
    ratio = GateSpec(GateId("errors"), "ratio", {"measure": "http_errors", "worse_than": 1.1, "objective": None})
    assert gate(ratio) == "errors compares http_errors with stable's: worse_than 1.1"
    limit = GateSpec(GateId("ok"), "threshold", {"measure": "http_success_rate", "limit": 0.99}, blocking=False)
    assert gate(limit) == "ok holds http_success_rate of the candidate to a limit: limit 0.99 (report only)"
    assert gate(GateSpec(GateId("x"), "ratio", {})) == "x compares ratio with stable's"
