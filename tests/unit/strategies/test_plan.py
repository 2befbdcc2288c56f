"""Strategies compiled into a plan: what each stage gives the candidate, and which chains are refused."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from delivery.model.codec import canon, from_plain, to_plain
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, GateId, Micros
from delivery.model.mistake import Invalid
from delivery.model.plan import Approval, GateSpec, Limit, LowTraffic, Plan, Then
from delivery.model.service import Policy, Service, Strategy, Workload
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Mirror, Sticky, Traffic, raises
from delivery.strategies import ab_test, blue_green, canary, dark_launch, fault_test
from delivery.strategies.blue_green import PREVIEW
from delivery.strategies.plan import compile_plan
from delivery.wording.plan import describe

PARSERS: Mapping[str, Callable[[Fields], Strategy]] = {
    "canary": canary.parse,
    "blue_green": blue_green.parse,
    "ab_test": ab_test.parse,
    "dark_launch": dark_launch.parse,
    "fault_test": fault_test.parse,
}
ERRORS = GateSpec(GateId("errors"), "ratio", {})
OBJECTIVE = GateSpec(GateId("objective"), "ratio", {}, at_full=True)
CONVERSION = GateSpec(GateId("conversion"), "ratio", {}, blocking=False)
MATCH = [{"headers": {"x-beta": {"exact": "true"}}}]
FAULTS: Mapping[str, object] = {"fault_test": {"match": MATCH, "abort": {"status": 503}}}
AB: Mapping[str, object] = {"ab_test": {"match": MATCH, "bake": "2h"}}
DARK: Mapping[str, object] = {"dark_launch": {"mirror": "10%"}}


def service(
    *strategies: Mapping[str, object], gates: tuple[GateSpec, ...] = (ERRORS, OBJECTIVE, CONVERSION)
) -> Service:
    parsed: list[Strategy] = []
    for section in strategies:
        ((kind, values),) = section.items()
        fields = Fields(values if isinstance(values, dict) else {})
        parsed.append(PARSERS[kind](fields))
        fields.check()
    return Service("checkout", ("local",), Workload("process", "checkout"), tuple(parsed), gates)


def plan(*strategies: Mapping[str, object], gates: tuple[GateSpec, ...] = (ERRORS, OBJECTIVE, CONVERSION)) -> Plan:
    return compile_plan(service(*strategies, gates=gates))


def refused(*strategies: Mapping[str, object], gates: tuple[GateSpec, ...] = (ERRORS, OBJECTIVE, CONVERSION)) -> str:
    with pytest.raises(Invalid) as caught:
        plan(*strategies, gates=gates)
    return str(caught.value)


def shape(made: Plan) -> list[tuple[str, int, int, Mirror | None]]:
    return [(s.name, s.traffic.weight, len(s.traffic.rules), s.traffic.mirror) for s in made.stages]


def test_a_canary_has_a_stage_for_each_step() -> None:
    made = plan({"canary": {"steps": ["1%", "5%"], "bake": ["2m", "5m"], "gates": ["errors"]}})
    assert shape(made) == [("canary 1%", 1, 0, None), ("canary 5%", 5, 0, None)]
    assert [(stage.bake, stage.deadline) for stage in made.stages] == [
        (2 * MINUTE, 7 * MINUTE),
        (5 * MINUTE, 16 * MINUTE),
    ]
    assert made.gates == (ERRORS,)
    assert (made.then, made.promotion) == (None, None)


def test_what_a_strategy_leaves_open_comes_from_the_service() -> None:
    policy = Policy(LowTraffic.HOLD, 7, MINUTE, Limit.REVERT, abort_on=("Down",))
    base = service({"canary": {"steps": ["5%"]}})
    made = compile_plan(
        Service(
            base.name,
            base.clusters,
            base.workload,
            base.strategies,
            base.gates,
            policy=policy,
            tick=SECOND,
            alpha=0.01,
            rollback_window=Micros(2 * HOUR),
            appear_within=MINUTE,
        )
    )
    (stage,) = made.stages
    assert (stage.bake, stage.deadline) == (10 * MINUTE, 31 * MINUTE)
    assert (stage.min_requests, stage.low_traffic) == (7, LowTraffic.HOLD)
    assert stage.gates == ("errors", "objective", "conversion")
    assert (made.tick, made.alpha, made.hold_limit, made.at_limit) == (SECOND, 0.01, MINUTE, Limit.REVERT)
    assert (made.rollback_window, made.appear_within, made.abort_on) == (2 * HOUR, MINUTE, ("Down",))


def test_approvals_guard_the_steps_that_they_name() -> None:
    made = plan({"canary": {"steps": ["5%", "25%"], "approval": {"before": ["25%", "100%"], "from": "sre"}}})
    assert [stage.approval for stage in made.stages] == [None, Approval(1, "sre")]
    assert made.promotion == Approval(1, "sre")


def test_where_100_is_a_step_the_approval_guards_that_stage() -> None:
    made = plan({"canary": {"steps": ["5%", "100%"], "approval": {"before": "100%"}}})
    assert [stage.approval for stage in made.stages] == [None, Approval()]
    assert made.promotion is None


def test_sticky_users_are_drawn_again_for_the_difference_only() -> None:
    made = plan({"canary": {"steps": ["1%", "5%", "25%"], "sticky": {"cookie": "rel"}}})
    assert [stage.traffic.sticky for stage in made.stages] == [
        Sticky("rel"),
        Sticky("rel", (1,)),
        Sticky("rel", (1, 5)),
    ]


def test_a_chain_stays_sticky_and_keeps_what_users_drew() -> None:
    first = {"canary": {"steps": ["1%", "5%"], "sticky": {"cookie": "rel"}}}
    made = plan(first, AB, {"canary": {"steps": ["25%"]}})
    assert [stage.traffic.sticky for stage in made.stages] == [
        Sticky("rel"),
        Sticky("rel", (1,)),
        Sticky("rel", (1,)),
        Sticky("rel", (1, 5)),
    ]


def test_a_blue_green_previews_and_switches() -> None:
    preview, switch = plan({"blue_green": {"bake": "5m", "gates": ["errors", "objective"], "approval": {}}}).stages
    assert preview.traffic == Traffic(rules=(PREVIEW,))
    assert (preview.bake, preview.gates, preview.min_requests, preview.approval) == (0, (), 0, None)
    assert preview.deadline > 0
    assert switch.traffic == ALL_CANDIDATE
    assert (switch.bake, switch.approval) == (5 * MINUTE, Approval())


def test_at_100_percent_gates_that_compare_with_stable_are_left_out() -> None:
    _, switch = plan({"blue_green": {}}).stages
    assert switch.gates == ("objective",)


@pytest.mark.parametrize(("bake", "warms"), [("10m", 3 * MINUTE), (["6m", "1h"], 2 * MINUTE)])
def test_a_gate_warms_up_for_a_third_of_the_shortest_bake_at_most(bake: object, warms: int) -> None:
    slow = GateSpec(GateId("slow"), "latency", {"above": [250], "warm_up": 3 * MINUTE})
    made = plan({"canary": {"steps": ["5%", "50%"], "bake": bake}}, gates=(slow, ERRORS))
    assert made.gate(GateId("slow")).params == {"above": [250], "warm_up": warms}
    assert made.gate(ERRORS.id) == ERRORS


def test_an_ab_test_reports_beside_its_gates() -> None:
    made = plan({"ab_test": {"match": MATCH, "gates": ["errors"], "report": ["conversion"]}})
    assert made.stages[0].gates == ("errors", "conversion")
    assert (made.then, made.promotion) == (Then.ASK, Approval())


@pytest.mark.parametrize(("then", "promotion"), [("promote", None), ("withdraw", None), ("ask", Approval())])
def test_then_decides_what_follows_the_last_strategy(then: str, promotion: Approval | None) -> None:
    made = plan({"dark_launch": {"mirror": "10%", "then": then}})
    assert (made.then, made.promotion) == (Then(then), promotion)


def test_people_who_are_asked_may_have_to_be_of_a_group() -> None:
    made = plan({"ab_test": {"match": MATCH, "approval": {"from": "product", "count": 2}}})
    assert made.promotion == Approval(2, "product")


def test_in_a_chain_then_is_not_asked() -> None:
    assert plan(DARK, {"canary": {}}).then is None


def test_a_whole_chain() -> None:
    made = plan(DARK, AB, {"canary": {"steps": ["5%", "50%"]}}, {"blue_green": {"gates": ["objective"]}})
    assert shape(made) == [
        ("dark_launch 10%", 0, 0, Mirror(10, ("GET", "HEAD"))),
        ("ab_test", 0, 1, None),
        ("canary 5%", 5, 1, None),
        ("canary 50%", 50, 1, None),
        ("blue_green preview", 50, 2, None),
        ("blue_green switch", 100, 0, None),
    ]
    assert [stage.strategy for stage in made.stages][0::3] == ["dark_launch", "canary"]


def test_stages_and_rules_that_are_called_the_same_get_a_number() -> None:
    other = {"ab_test": {"match": [{"path": "/beta"}], "then": "promote"}}
    made = plan(AB, other)
    assert [stage.name for stage in made.stages] == ["ab_test", "ab_test #2"]
    assert [rule.name for rule in made.stages[-1].traffic.rules] == ["ab_test", "ab_test-2"]


LOWER = "expected each stage to give the candidate more than the one before: a plan never lowers"


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        (
            [{"dark_launch": {"mirror": "5%", "then": "withdraw"}}, {"canary": {}}],
            "strategies[0].dark_launch.then is withdraw, and the next strategy follows it; expected nothing here, or "
            "this strategy to be the last one",
        ),
        (
            [{"ab_test": {"match": MATCH, "then": "promote"}}, {"canary": {}}],
            "strategies[0].ab_test.then is promote, and the next strategy follows it; expected nothing here, or "
            "this strategy to be the last one",
        ),
        (
            [{"canary": {"steps": ["25%"]}}, {"canary": {"steps": ["5%"]}}],
            f"strategies[1].canary would lower the candidate from 25% to 5%; {LOWER}",
        ),
        (
            [{"canary": {"steps": ["25%"]}}, {"canary": {"steps": ["25%", "50%"]}}],
            f"strategies[1].canary has a stage that raises nothing: canary 25%; {LOWER}",
        ),
        (
            [DARK, {"dark_launch": {"mirror": "5%"}}],
            f"strategies[1].dark_launch has a stage that raises nothing: dark_launch 5%; {LOWER}",
        ),
        (
            [AB, DARK],
            "strategies[1].dark_launch mirrors, but a strategy before it has given the candidate users already; "
            "expected dark_launch to come first: a mirror needs a route that only stable serves",
        ),
        (
            [{"canary": {"steps": ["5%", "100%"], "gates": []}}, AB],
            "strategies[0].canary gives the candidate 100%; expected only the last strategy to do that",
        ),
        (
            [{"canary": {"approval": {"before": "100%"}}}, AB],
            "strategies[0].canary.approval guards the raise to 100%, which only the last strategy leads to; "
            "expected before: begin here, or an approval of the last strategy",
        ),
        (
            [
                {"canary": {"steps": ["5%"], "sticky": {"cookie": "a"}}},
                {"canary": {"steps": ["9%"], "sticky": {"cookie": "b"}}},
            ],
            "strategies[1].canary.sticky changes the cookie from a to b; "
            "expected one cookie for the whole chain, so that users stay where they are",
        ),
        (
            [{"canary": {"gates": ["erors"]}}],
            "strategies[0].canary.gates names erors, which is unknown, did you mean errors?; "
            "expected one of errors, objective, conversion",
        ),
        (
            [{"ab_test": {"match": MATCH, "gates": [], "report": ["errors"]}}],
            "strategies[0].ab_test.report names errors, which can stop a release; "
            "expected a gate with blocking: false, or to find it under gates",
        ),
        (
            [{"canary": {"bake": "5s"}}],
            "strategies[0].canary.bake is 5s; expected at least one tick (15s): nothing would be measured",
        ),
        (
            [{"canary": {"bake": "5m", "deadline": "5m"}}],
            "strategies[0].canary.deadline is 5m; expected longer than the bake (5m)",
        ),
        (
            [{"blue_green": {"gates": ["errors"]}}],
            "strategies[0].blue_green has a stage at 100%, blue_green switch, whose gates compare with stable, "
            "which serves nobody then: errors; expected a gate with an objective, a threshold or baseline: previous, "
            "or gates: [] to rely on people alone",
        ),
        (
            [{"canary": {"steps": ["100%"], "gates": ["errors", "conversion"]}}],
            "strategies[0].canary has a stage at 100%, canary 100%, whose gates compare with stable, "
            "which serves nobody then: errors; expected a gate with an objective, a threshold or baseline: previous, "
            "or gates: [] to rely on people alone",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_chains_that_are_refused(chain: list[Mapping[str, object]], said: str) -> None:
    assert said in refused(*chain).replace("\n  ", "\n").splitlines()


def test_all_mistakes_of_a_chain_are_told() -> None:
    said = refused({"canary": {"gates": ["x"], "bake": "5s"}}, {"canary": {"steps": ["1%"], "gates": []}})
    assert said.splitlines()[0] == "3 mistakes"


def test_people_may_be_all_that_judges_a_switch() -> None:
    assert plan({"blue_green": {"gates": []}}).stages[1].gates == ()
    assert plan({"blue_green": {"gates": ["conversion"]}}).stages[1].gates == ()


steps = st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True).map(sorted)
canaries = st.builds(
    lambda weights, sticky: {
        "canary": {"steps": [f"{w}%" for w in weights], **({"sticky": {"cookie": "c"}} if sticky else {})}
    },
    steps,
    st.booleans(),
)
mirrors = st.builds(
    lambda percent, methods: {"dark_launch": {"mirror": f"{percent}%", "methods": methods}},
    st.integers(1, 100),
    st.sampled_from(["all", ["GET"], ["GET", "POST"]]),
)
chains = st.lists(
    canaries | mirrors | st.just(AB) | st.just(FAULTS) | st.just({"blue_green": {}}), min_size=1, max_size=4
)


@given(chains)
def test_a_plan_that_compiles_only_ever_raises(chain: list[Mapping[str, object]]) -> None:
    try:
        made = plan(*chain)
    except Invalid:
        assume(False)
        raise
    before = ALL_STABLE
    for stage in made.stages:
        assert raises(before, stage.traffic)
        assert stage.traffic.weight >= before.weight
        assert set(before.rules) <= set(stage.traffic.rules) or stage.traffic.weight == 100
        assert stage.deadline > stage.bake
        before = replace(stage.traffic, rules=tuple(rule for rule in stage.traffic.rules if rule.fault is None))
    assert sum(stage.traffic.weight == 100 for stage in made.stages) <= 1
    assert len({stage.name for stage in made.stages}) == len(made.stages)
    assert {gate.id for gate in made.gates} == {gate for stage in made.stages for gate in stage.gates}
    assert describe(made)
    assert from_plain(Plan, to_plain(made)) == made
    assert canon(plan(*chain)) == canon(made)


def test_a_plan_in_words() -> None:
    made = plan(
        DARK,
        {"ab_test": {"match": MATCH, "bake": "2h", "report": ["conversion"], "gates": ["errors"]}},
        {
            "canary": {
                "steps": ["5%", "25%"],
                "bake": "5m",
                "low_traffic": "hold",
                "min_requests": 500,
                "gates": ["errors"],
                "approval": {"before": ["25%", "100%"], "from": "sre", "count": 2, "expires": "4h"},
            }
        },
    )
    assert [line.replace("\u202f", " ") for line in describe(made)] == [
        "1. dark_launch 10%: copies of 10 % of GET and HEAD requests, answered to nobody, "
        "for 10m (at most 31m; goes on then if there were under 50 requests), judged by errors and objective, "
        "with conversion for information",
        "2. ab_test: requests with header x-beta that is true, for 2h "
        "(at most 6h1m; goes on then if there were under 50 requests), judged by errors, "
        "with conversion for information",
        "3. canary 5%: 5 % of requests and requests with header x-beta that is true, "
        "for 5m (at most 16m; holds then if there were under 500 requests), judged by errors",
        "4. canary 25%: 25 % of requests and requests with header x-beta that is true, "
        "after 2 approvals of sre within 4h, for 5m (at most 16m; holds then if there were under 500 requests), "
        "judged by errors",
        "5. then everybody gets the candidate, which becomes stable, after 2 approvals of sre within 4h",
    ]


@pytest.mark.parametrize(
    ("strategy", "lines"),
    [
        (
            {"blue_green": {"gates": [], "approval": {}}},
            [
                "1. blue_green preview: requests with header x-delivery-preview that is candidate",
                "2. blue_green switch: everybody, after 1 approval, for 10m "
                "(at most 31m; goes on then if there were under 50 requests), judged by people alone",
                "3. then everybody gets the candidate, which becomes stable",
            ],
        ),
        (
            {"dark_launch": {"mirror": "100%", "methods": "all", "min_requests": 0, "bake": "1m", "gates": ["errors"]}},
            [
                "1. dark_launch 100%: copies of 100 % of requests, answered to nobody, "
                "for 1m (at most 4m), judged by errors",
                "2. then people decide: approve promotes it, reject withdraws it",
            ],
        ),
    ],
)
def test_plans_in_words(strategy: Mapping[str, object], lines: list[str]) -> None:
    assert [line.replace("\u202f", " ") for line in describe(plan(strategy))] == lines
