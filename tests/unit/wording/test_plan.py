"""A plan in words; what whole chains are told as is in tests/unit/strategies/test_plan.py."""

from dataclasses import replace

import pytest

from delivery.model.ids import HOUR, MINUTE, GateId, Micros
from delivery.model.place import Mode
from delivery.model.plan import Approval, GateSpec, LowTraffic, Plan, Then
from delivery.model.traffic import Traffic
from delivery.model.verdict import Baseline
from delivery.testing.builders import a_stage
from delivery.wording.plan import approval, at_least, describe, ending, gate, step
from delivery.wording.units import THIN, percent
from tests.unit.wording.builders import PLAN

SHORT = Plan(PLAN.stages[1:3], (GateSpec(GateId("errors"), "ratio", {}),))


def test_the_lines_of_a_canary():
    assert [line.replace(THIN, " ") for line in describe(SHORT)] == [
        "1. canary 5%: 5 % of requests, for 5m (at most 15m; holds then if there were under 50 requests), "
        "judged by errors",
        "2. canary 25%: 25 % of requests, after 1 approval of sre, for 5m "
        "(at most 15m; holds then if there were under 50 requests), judged by errors",
        "3. then everybody gets the candidate, which becomes stable",
    ]


def test_a_copy_of_stable_is_told_with_what_it_costs_and_where_it_ends():
    stages = (a_stage(5, traffic=Traffic(5, baseline=5)), a_stage(50, traffic=Traffic(50, baseline=25)), a_stage(99))
    spec = GateSpec(GateId("errors"), "ratio", {"measure": "http_errors"}, baseline=Baseline.FRESH)
    *lines, cost = [line.replace(THIN, " ") for line in describe(Plan(stages, (spec,), mode=Mode.CLONE))]
    assert lines[0].startswith("1. canary 5%: 5 % of requests, beside 5 % for a copy of stable, for 5m")
    assert cost == (
        "a copy of stable is started beside the candidate and goes with it: pods for 25 % of the traffic at most; "
        "canary 99% is not compared with it"
    )
    local = describe(Plan(stages[:2], (spec,)))
    assert local[-1] == "a copy of stable is started beside the candidate and goes with it: one more process"
    assert gate(spec) == "errors compares http_errors with those of a copy of stable as young as it"


def test_a_stage_that_goes_on_without_traffic_says_so():
    lenient = replace(PLAN.stages[0], low_traffic=LowTraffic.ADVANCE, gates=())
    assert step(lenient, Plan((lenient,))).endswith(
        "(at most 15m; goes on then if there were under 50 requests), judged by people alone"
    )


def test_a_plan_takes_at_least_its_bakes():
    assert at_least(SHORT) == 10 * MINUTE


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Approval(), "1 approval"),
        (Approval(2, "sre", Micros(4 * HOUR)), "2 approvals of sre within 4h"),
    ],
)
def test_approvals(wanted, sentence):
    assert approval(wanted) == sentence


@pytest.mark.parametrize(
    ("then", "promotion", "sentence"),
    [
        (None, None, "then everybody gets the candidate, which becomes stable"),
        (None, Approval(1, "sre"), "then everybody gets the candidate, which becomes stable, after 1 approval of sre"),
        (Then.ASK, Approval(), "then people decide: approve promotes it, reject withdraws it"),
        (Then.PROMOTE, None, "then everybody gets the candidate, which becomes stable"),
        (Then.WITHDRAW, None, "then it is withdrawn: everybody is back on stable"),
    ],
)
def test_endings(then, promotion, sentence):
    assert ending(Plan(PLAN.stages, then=then, promotion=promotion)) == sentence


def test_gates_say_what_they_compare():
    ratio = GateSpec(GateId("errors"), "ratio", {"measure": "http_errors", "worse_than": 1.1, "objective": None})
    assert gate(ratio) == "errors compares http_errors with stable's: worse_than 1.1"
    shares = GateSpec(GateId("errors"), "ratio", {"measure": "http_errors", "objective": 0.02, "floor": 0.001})
    assert gate(shares) == f"errors compares http_errors with stable's: objective {percent(2)}, floor {percent(0.1)}"
    limit = GateSpec(GateId("ok"), "threshold", {"measure": "http_success_rate", "limit": 0.99}, blocking=False)
    assert (
        gate(limit)
        == "ok holds the candidate's http_success_rate to a limit, uncalibrated (for information): limit 0.99"
    )
    slow = GateSpec(GateId("slow"), "latency", {"measure": "http_duration", "above": [250], "warm_up": 180_000_000})
    assert gate(slow) == "slow compares http_duration with stable's: above 250 ms, warm_up 3m"
    buys = GateSpec(GateId("buys"), "conversion", {"measure": "paid"}, blocking=False)
    assert gate(buys) == "buys shows the share of users with paid on both sides (for information)"
    assert gate(GateSpec(GateId("x"), "ratio", {})) == "x compares ratio with stable's"
