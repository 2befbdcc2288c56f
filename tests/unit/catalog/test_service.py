"""What a service file means, and every way in which it can be wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from delivery.adapters.catalog.yaml_file import read_text
from delivery.catalog.check import check
from delivery.catalog.document import Document
from delivery.catalog.errors import Invalid
from delivery.catalog.measured import Measured
from delivery.catalog.service import Offers, Unusable, parse
from delivery.catalog.workloads import DEPLOYMENT, PROCESS, Runs
from delivery.gates import ratio
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, GateId, Micros
from delivery.model.plan import GateSpec, Limit, LowTraffic, Plan, Require
from delivery.model.service import FreezeRule, OnDrift, OnNewVersion, Policy, Service, Workload
from delivery.model.traffic import Traffic
from delivery.model.verdict import Baseline
from delivery.strategies.canary import Canary
from delivery.strategies.dark_launch import DarkLaunch
from delivery.strategies.plan import compile_plan
from tests.unit.catalog.parsers import GATES, STRATEGIES

SMALLEST = "service: checkout\ncluster: local\nworkload: {process: checkout}\n"
WRONG = [
    pair.split("\n")
    for pair in (Path(__file__).parent / "wrong_lines.txt").read_text(encoding="utf-8").strip().split("\n\n")
]
"""A line of a service file, and what its mistake begins with."""
OFFERS = Offers(
    clusters={
        "local": Runs(frozenset((PROCESS,))),
        "prod-eu": Runs(frozenset((DEPLOYMENT,)), ["shop", "pay"], jobs=["checkout-*"]),
        "prod-us": Runs(frozenset((DEPLOYMENT,)), ["shop"]),
    },
    processes=["checkout"],
    channels=["console", "slack"],
    hosts=["platform"],
)


def read(text: str, offers: Offers | None = None) -> Service:
    return parse(read_text(text, "checkout.yaml"), strategies=STRATEGIES, gates=GATES, offers=offers)


def checked(text: str, offers: Offers = OFFERS) -> tuple[Service, Plan]:
    document = read_text(text, "checkout.yaml")
    return check(document, strategies=STRATEGIES, gates=GATES, compile_plan=compile_plan, offers=offers)


def test_an_object_of_kubernetes_is_told_from_a_service_file() -> None:
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: checkout}\nspec: {replicas: 3}\n"
    with pytest.raises(Invalid) as caught:
        checked(rollout)
    assert str(caught.value) == (
        "checkout.yaml:1: the document is a Kubernetes object, Rollout; expected a service file: service: NAME ..."
    )


def test_what_the_server_offers_no_more_is_still_readable_for_what_runs() -> None:
    text = (
        "service: checkout\ncluster: [prod-eu, gone]\nnamespace: shop\nworkload: {deployment: checkout}\n"
        "notify: {irc: checkout}\npolicy: {abort_on: [{alert: Down}]}\n"
    )
    with pytest.raises(Unusable, match="irc") as caught:
        read(text, OFFERS)
    assert caught.value.readable == read(text)
    with pytest.raises(Unusable) as lost:
        read(text.replace("deployment: checkout", "deployment: Check out"), OFFERS)
    assert lost.value.readable is None


def refused(text: str, offers: Offers | None = OFFERS) -> list[str]:
    with pytest.raises(Invalid) as caught:
        read(text, offers)
    return [f"{mistake.line}: {mistake}" for mistake in caught.value.mistakes]


def test_the_smallest_file_is_a_canary_with_an_errors_gate() -> None:
    service, plan = checked(SMALLEST)
    errors = GateSpec(GateId("errors"), "ratio", ratio.parse(Fields({"ratio": "http_errors"})))
    assert service == Service(
        name="checkout",
        clusters=("local",),
        workload=Workload("process", "checkout"),
        strategies=(Canary((5, 25, 50), (None, None, None)),),
        gates=(errors,),
    )
    assert [(stage.name, stage.bake, stage.gates) for stage in plan.stages] == [
        ("canary 5%", 10 * MINUTE, ("errors",)),
        ("canary 25%", 10 * MINUTE, ("errors",)),
        ("canary 50%", 10 * MINUTE, ("errors",)),
    ]


def test_everything_that_can_be_said() -> None:
    service = read(
        """
service: checkout
owners: [team-payments]
cluster: [local, prod-eu]
workload: {process: checkout, rollback_window: 2h, appear_within: 5m}
targets: {prod-eu: {namespace: shop, workload: {deployment: checkout}}}
on_new_version: supersede
strategies:
  - dark_launch: {mirror: 10%, bake: 10m, gates: [errors]}
  - canary: {steps: [1%, 5%], bake: 5m}
gates:
  errors: {ratio: http_errors, objective: 1%, require: pass}
  success: {threshold: http_success_rate, at_least: 99%}
  slow: {latency: http_duration, above: 500ms, blocking: false}
policy:
  low_traffic: hold
  min_requests: 7
  no_data: {hold: 3m, then: revert}
  on_drift: correct
  abort_on: [{alert: CheckoutErrors}]
  freeze: [{cron: "0 18 * * FRI", tz: Europe/Berlin, for: 60h}]
tick: 2s
alpha: 0.01
notify: {console: releases, slack: "#checkout"}
""",
        OFFERS,
    )
    assert service.owners == ("team-payments",)
    assert service.clusters == ("local", "prod-eu")
    assert (service.rollback_window, service.appear_within) == (2 * HOUR, 5 * MINUTE)
    assert service.on_new_version is OnNewVersion.SUPERSEDE
    assert [type(strategy) for strategy in service.strategies] == [DarkLaunch, Canary]
    assert [(g.id, g.kind, g.blocking, g.require, g.at_full) for g in service.gates] == [
        ("errors", "ratio", True, Require.PASS, True),
        ("success", "threshold", True, Require.NO_FAIL, True),
        ("slow", "latency", False, Require.NO_FAIL, False),
    ]
    assert service.policy == Policy(
        LowTraffic.HOLD,
        7,
        Micros(3 * MINUTE),
        Limit.REVERT,
        OnDrift.CORRECT,
        ("CheckoutErrors",),
        (FreezeRule("0 18 * * FRI", "Europe/Berlin", Micros(60 * HOUR)),),
    )
    assert (service.tick, service.alpha) == (2 * SECOND, 0.01)
    assert service.notify == {"console": "releases", "slack": "#checkout"}


def test_values_that_came_without_a_text_mean_the_same() -> None:
    values = read_text(SMALLEST).values
    assert parse(Document(values), strategies=STRATEGIES, gates=GATES) == read(SMALLEST)


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line[:50] for line, _ in WRONG])
def test_each_mistake_is_told_with_its_line(line: str, said: str) -> None:
    key = line.partition(":")[0]
    kept = [one for one in SMALLEST.splitlines() if not one.startswith(f"{key}:")]
    mistakes = refused("\n".join([*kept, "# a comment", line]))
    assert [one for one in mistakes if one.startswith(f"{len(kept) + 2}: {said}")], mistakes


def test_all_mistakes_are_told_at_once_in_the_order_of_the_text() -> None:
    text = (
        "service: A\ncluster: nowhere\nworkload: {process: x}\nstrategies:\n  - canary: {bake: 1}\npolicy:\n  tz: x\n"
    )
    assert [one.split(" ")[:2] for one in refused(text)] == [
        ["1:", "service"],
        ["2:", "cluster"],
        ["3:", "workload.process"],
        ["5:", "strategies[0].canary.bake"],
        ["7:", "policy.tz"],
    ]


def test_a_gate_of_no_kind_is_one_mistake_whatever_else_it_says() -> None:
    with pytest.raises(Invalid) as caught:
        read(SMALLEST + "gates: {errors: {worse_than: 1.1, floor: 1%}}\n")
    assert str(caught.value) == (
        "checkout.yaml:4: gates.errors has no kind; "
        "expected exactly one of ratio, latency, threshold, gauge, conversion"
    )


def test_an_empty_document_says_what_is_missing() -> None:
    with pytest.raises(Invalid) as caught:
        parse(Document({}), strategies=STRATEGIES, gates=GATES)
    assert [mistake.place for mistake in caught.value.mistakes] == ["service", "cluster", "workload.process"]


def test_without_offers_names_of_the_server_are_not_looked_up() -> None:
    service = read(SMALLEST.replace("local", "elsewhere") + "notify: {other: x}\n")
    assert (service.clusters, service.notify) == (("elsewhere",), {"other": "x"})


def test_a_chain_that_makes_no_plan_is_told_with_its_line() -> None:
    with pytest.raises(Invalid) as caught:
        checked(SMALLEST + "strategies:\n  - canary: {steps: [25%]}\n  - canary:\n      steps: [5%]\n")
    assert str(caught.value).startswith(
        "checkout.yaml:6: strategies[1].canary would lower the candidate from 25% to 5%"
    )


def test_a_switch_that_nothing_can_judge_is_refused() -> None:
    with pytest.raises(Invalid, match="whose gates compare with stable, which serves nobody then: errors"):
        checked(SMALLEST + "strategies: [blue_green: {}]\n")
    _, plan = checked(SMALLEST + "strategies: [blue_green: {}]\ngates: {errors: {ratio: http_errors, objective: 1%}}\n")
    assert plan.stages[-1].gates == ("errors",)


def test_gates_that_only_advise_block_where_the_file_says_so():
    advising = "cpu: {gauge: cpu}, heap: {gauge: heap, blocking: true}, buys: {conversion: paid}"
    gates = f"gates: {{{advising}, e: {{ratio: http_errors}}}}"
    service = read(SMALLEST + gates + "\n")
    assert {spec.id: spec.blocking for spec in service.gates} == {"cpu": False, "heap": True, "buys": False, "e": True}


SWITCH = "strategies: [blue_green: {}]\n"


def test_stable_as_it_was_advises_at_100_percent_unless_the_file_says_otherwise() -> None:
    before = "before: {ratio: http_errors, baseline: previous}"
    _, plan = checked(f"{SMALLEST}{SWITCH}gates: {{errors: {{ratio: http_errors, objective: 1%}}, {before}}}\n")
    assert [stage.gates for stage in plan.stages] == [(), ("errors", "before")]
    assert [(spec.id, spec.blocking) for spec in plan.gates] == [("errors", True), ("before", False)]
    _, plan = checked(f"{SMALLEST}{SWITCH}gates: {{{before[:-1]}, blocking: true}}}}\n")
    assert plan.stages[-1].gates == ("before",), "it can judge there"


FRESH = "gates: {errors: {ratio: http_errors, baseline: fresh}}\n"


def test_a_copy_of_stable_gets_as_much_as_the_candidate_and_stable_never_less_than_the_copy() -> None:
    steps = "strategies: [canary: {steps: [5%, 40%, 98%]}]\n"
    _, plan = checked(f"{SMALLEST}{steps}{FRESH}")
    assert [stage.traffic for stage in plan.stages] == [
        Traffic(5, baseline=5),
        Traffic(40, baseline=30),
        Traffic(98, baseline=1),
    ]
    assert [(spec.blocking, spec.at_full, spec.baseline) for spec in plan.gates] == [(True, False, Baseline.FRESH)]


def test_a_stage_has_a_copy_of_stable_only_where_a_gate_compares_with_it() -> None:
    gates = "gates: {errors: {ratio: http_errors}, cold: {latency: http_duration, above: 250ms, baseline: fresh}}\n"
    both = "strategies: [ab_test: {match: [{headers: {x-beta: {exact: b}}}]}, canary: {steps: [5%, 99%]}]\n"
    _, plan = checked(f"{SMALLEST}{both}{gates}")
    found = [(stage.gates, stage.traffic.baseline) for stage in plan.stages]
    assert found == [(("errors",), None), (("errors", "cold"), 5), (("errors",), None)]
    assert plan.gate(GateId("cold")).params["warm_up"] == 0, "what is cold on both sides has to be forgiven on none"
    _, plan = checked(f"{SMALLEST}gates: {{errors: {{ratio: http_errors}}}}\n")
    assert {stage.traffic.baseline for stage in plan.stages} == {None}


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("canary: {sticky: {cookie: rel}}", "gates.errors.baseline is fresh, and no stage that it judges has requests"),
        ("blue_green: {}", "gates.errors.baseline is fresh, and no stage that it judges has requests"),
        ("canary: {steps: [5%, 99%]}", "canary has a stage, canary 99%, without requests for a copy of stable"),
        ("canary: {steps: [5%, 100%]}", "has a stage at 100%, canary 100%, whose gates compare with stable"),
    ],
)
def test_a_stage_without_room_for_a_copy_of_stable_needs_another_gate(strategy: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked(f"{SMALLEST}strategies: [{strategy}]\n{FRESH}")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("gates", "said"),
    [
        (
            "{errors: {ratio: http_errors, baseline: previous}}",
            "gates.errors.baseline is previous, for stages at 100%, and no such stage is judged by it",
        ),
        ("{errors: {ratio: http_errors, baseline: last}}", "gates.errors.baseline is 'last'; expected one of stable"),
        ("{cpu: {gauge: cpu, baseline: previous}}", "gates.cpu.baseline is unknown"),
    ],
)
def test_baselines_that_say_nothing_are_refused_by_name(gates: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked(f"{SMALLEST}gates: {gates}\n")
    assert said in str(caught.value)


def test_what_is_only_observed_is_compared_with_what_was_observed_before() -> None:
    place = "service: checkout\ncluster: prod-eu\nnamespace: shop\nworkload: {deployment: checkout, mode: observe}\n"
    _, plan = checked(f"{place}gates: {{before: {{ratio: http_errors, baseline: previous}}}}\n")
    assert [stage.gates for stage in plan.stages] == [("before",)]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (
            "{conversion: payed}",
            "gates.g.conversion names payed, which local's metrics do not have: it is unknown, did",
        ),
        ("{gauge: paid}", "gates.g.gauge names paid, which local's metrics do not have"),
        (
            "{latency: http_duration, above: 300ms}",
            "gates.g.above names 300ms, for which local's metrics have no bucket",
        ),
        ("{threshold: http_slow_rate, above: 1s, at_most: 1%}", "gates.g.above names 1000ms, for which local's"),
    ],
)
def test_a_measure_that_no_metrics_have_is_told_before_a_release_waits_for_it(gate: str, said: str) -> None:
    offers = replace(OFFERS, measured={"local": Measured(frozenset(["paid"]), frozenset(["heap"]), (250, 500))})
    text = f"{SMALLEST}gates: {{errors: {{ratio: http_errors}}, g: {gate}}}\n"
    with pytest.raises(Invalid) as caught:
        checked(text, offers)
    assert said in str(caught.value)
    checked(text)


def test_measures_that_are_there_and_clusters_that_are_not_known_are_fine() -> None:
    gates = "gates: {a: {conversion: paid}, b: {gauge: heap}, c: {latency: http_duration, above: 250ms}}\n"
    for measured in ({}, {"local": Measured(frozenset(["paid"]), frozenset(["heap"]))}):
        checked(SMALLEST + gates, replace(OFFERS, measured=measured))


def test_metrics_without_any_measure_say_so() -> None:
    with pytest.raises(Invalid, match="local's metrics have no gauge at all"):
        checked(SMALLEST + "gates: {cpu: {gauge: cpu}}\n", replace(OFFERS, measured={"local": Measured()}))
