"""Approvals: one spelling for every strategy, before it begins and before the promotion."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from delivery.model.ids import HOUR, Micros
from delivery.model.mistake import Invalid
from delivery.model.plan import Approval, Plan, Then
from delivery.model.service import Policy
from delivery.strategies.plan import compile_plan
from delivery.wording.plan import describe
from tests.unit.strategies.test_plan import MATCH, plan, service

SECTIONS: Mapping[str, Mapping[str, object]] = {
    "canary": {"steps": ["5%"], "gates": []},
    "blue_green": {"gates": []},
    "ab_test": {"match": MATCH},
    "dark_launch": {"mirror": "10%"},
    "fault_test": {"match": MATCH, "abort": {"status": 503}},
}
QA, SRE = Approval(1, "qa"), Approval(2, "sre", Micros(4 * HOUR))
BOTH = [{"before": "begin", "from": "qa"}, {"before": "promotion", "from": "sre", "count": 2, "expires": "4h"}]


def asking(kind: str, approval: object) -> Mapping[str, object]:
    return {kind: {**SECTIONS[kind], "approval": approval}}


def guards(made: Plan) -> list[Approval | None]:
    return [*(stage.approval for stage in made.stages), made.promotion]


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_strategy_asks_before_it_begins(kind: str) -> None:
    made = plan(asking(kind, {"before": "begin", "from": "qa"}))
    assert made.stages[0].approval == QA
    left = [Approval()] if made.then is Then.ASK else [None]
    assert guards(made)[1:] == [None] * (len(made.stages) - 1) + left


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_strategy_asks_others_before_the_promotion(kind: str) -> None:
    made = plan(asking(kind, BOTH))
    last = [SRE, None] if kind == "blue_green" else [SRE]
    assert guards(made) == [QA, *last]


@pytest.mark.parametrize("kind", [kind for kind in SECTIONS if kind != "dark_launch"])
def test_in_the_middle_of_a_chain_too(kind: str) -> None:
    made = plan(asking("dark_launch", {"before": "begin"}), asking(kind, BOTH))
    assert guards(made)[:2] == [Approval(), QA]
    assert SRE in guards(made)[2:]


def test_a_canary_asks_different_people_before_different_steps() -> None:
    approval = [{"before": ["begin", "50%"], "from": "qa"}, {"before": "100%", "from": "sre", "count": 2}]
    made = plan({"canary": {"steps": ["5%", "25%", "50%"], "approval": approval}})
    assert guards(made) == [QA, None, QA, Approval(2, "sre")]


def test_a_canary_of_one_step_to_everybody_begins_with_its_promotion() -> None:
    made = plan({"canary": {"steps": ["100%"], "gates": [], "approval": {"before": "begin", "from": "qa"}}})
    assert guards(made) == [QA, None]


def with_policy(approval: Approval, *strategies: Mapping[str, object]) -> Plan:
    return compile_plan(replace(service(*strategies), policy=Policy(approval=approval)))


def test_the_policy_fills_in_whom_an_approval_leaves_out() -> None:
    made = with_policy(SRE, asking("ab_test", {"before": "begin", "count": 1}))
    assert guards(made) == [replace(SRE, count=1), SRE]
    assert guards(with_policy(SRE, {"dark_launch": SECTIONS["dark_launch"]})) == [None, SRE]


def test_a_policy_that_nothing_asks_by_is_told() -> None:
    with pytest.raises(Invalid) as caught:
        with_policy(SRE, {"canary": SECTIONS["canary"]})
    assert str(caught.value) == (
        "policy.approval says whom approvals ask, and no strategy asks anybody; "
        "expected approval: {before: begin} or the like in a strategy"
    )


def test_a_plan_says_who_is_asked_before_what() -> None:
    lines = describe(plan(asking("dark_launch", {"before": "begin"}), asking("ab_test", BOTH)))
    assert "answered to nobody, after 1 approval, for 10m" in lines[0].replace("\u202f", " ")
    assert "that is true, after 1 approval of qa, for 10m" in lines[1]
    assert lines[2] == (
        "3. then people decide: approve promotes it, reject withdraws it, after 2 approvals of sre within 4h"
    )
