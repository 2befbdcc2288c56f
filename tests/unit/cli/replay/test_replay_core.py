"""The pure parts of a replay: chance, the past in columns, releases that never were, and what is said of them."""

import math
import xml.etree.ElementTree as ET
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from delivery.cli.replay import page, report
from delivery.cli.replay.chance import binomial, poisson, wilson
from delivery.cli.replay.history import History, nature, rates
from delivery.cli.replay.pseudo import Splitter, Step, starts
from delivery.cli.replay.trials import BAD_RELEASES, Judge, run
from delivery.model.ids import SECOND, Micros
from delivery.model.plan import GateSpec
from delivery.model.verdict import Counts
from delivery.ports.metrics import Window
from delivery.registry import GATES

STEP = Micros(15 * SECOND)
STEPS = (Step(0, 0.05, 20), Step(1, 0.25, 20), Step(2, 0.5, 20))
RATIO: dict[str, Any] = {
    "measure": "http_errors", "objective": None, "worse_than": 1.1, "no_worse_than": None, "floor": 0.001,
    "min_requests": 50, "dispersion": None,
}  # fmt: skip


def past(
    windows: int, burst: int = 1, rate: float = 0.005, pods: int = 1, keep: bool = False, seed: int = 1
) -> History:
    """A service of 20 requests a second and pod, whose errors come in bursts; slow requests at 2 %."""
    rng = Random(seed)
    history = History(Micros(0), STEP, (500,))
    for index in range(windows):
        sources = {}
        for pod in range(pods):
            bad = min(300, burst * poisson(rng, 300 * rate / burst))
            sources[f"pod-{pod}"] = Counts(300, bad, ((500, binomial(rng, 300, 0.02)),))
        begun = Micros(index * STEP)
        history.add([Window(begun, Micros(begun + STEP), sources)], keep)
    return history


def splitter(history: History) -> Splitter:
    return Splitter(history, STEPS, {None: nature(history), 500: nature(history, 500)})


def judge(kind: str = "ratio", share: float = 0.05, today: bool = False, blocking: bool = True, **params: Any) -> Judge:
    threshold = {
        "measure": "http_success_rate", "limit": 0.99, "above": None, "over": 60 * SECOND, "failure_limit": 0,
        "min_requests": 1,
    }  # fmt: skip
    filled = {**(RATIO if kind == "ratio" else threshold), **params}
    spec = GateSpec(f"{kind}{' (today)' if today else ''}", kind, filled, blocking)  # type: ignore[arg-type]
    return Judge(spec, GATES[kind].build(spec, share, len(STEPS)), share, today)


# Chance.


@pytest.mark.parametrize(("n", "p"), [(10, 0.3), (3000, 0.05), (3000, 0.0005), (100_000, 0.5)])
def test_draws_have_the_mean_and_the_spread_that_they_should(n, p):
    rng = Random(7)
    found = [binomial(rng, n, p) for _ in range(4000)]
    mean, spread = n * p, n * p * (1 - p)
    assert abs(sum(found) / 4000 - mean) < 5 * math.sqrt(spread / 4000)
    assert 0.85 < sum((one - mean) ** 2 for one in found) / 4000 / spread < 1.15
    assert all(0 <= one <= n for one in found)


@pytest.mark.parametrize("mean", [0.01, 3.0, 80.0])
def test_counts_of_rare_events_have_their_mean_for_a_variance(mean):
    rng = Random(7)
    found = [poisson(rng, mean) for _ in range(6000)]
    assert abs(sum(found) / 6000 - mean) < 5 * math.sqrt(mean / 6000)
    assert 0.8 < sum((one - mean) ** 2 for one in found) / 6000 / mean < 1.2


@given(st.integers(1, 5000), st.floats(0, 1))
def test_the_interval_is_wilson_s(of, part):
    hits = round(part * of)
    wanted = binomtest(hits, of).proportion_ci(method="wilson")
    assert wilson(hits, of) == pytest.approx((wanted.low, wanted.high), abs=1e-4)


# The past.


@pytest.mark.parametrize("burst", [1, 5, 20])
def test_bursts_are_seen(burst):
    found = nature(past(6000, burst=burst))
    assert found.phi == pytest.approx(burst, rel=0.15)
    assert found.rate == pytest.approx(0.005, rel=0.1)
    assert abs(found.autocorrelation[0]) < 0.06


def test_errors_that_last_are_correlated():
    history = History(Micros(0), STEP)
    for index in range(3000):
        bad = 6 if index % 10 < 5 else 0
        history.add([Window(Micros(0), STEP, {"a": Counts(300, bad)})], False)
    found = nature(history).autocorrelation
    assert found[0] > 0.5
    assert found[4] < -0.5


def test_gaps_are_no_calm():
    history = past(100)
    history.add([Window(Micros(0), STEP, None)] * 100, False)
    assert len(history) == 200
    assert sum(history.whole) == 100
    assert all(rps == pytest.approx(20) for _, rps, _ in rates(history, 20))
    assert starts(history, 60, 10) == [0]


def test_a_pod_that_comes_later_and_one_that_goes():
    history = History(Micros(0), STEP)
    for names in (["a"], ["a", "b"], ["b"], ["a", "b"]):
        history.add([Window(Micros(0), STEP, {name: Counts(10, 1) for name in names})], True)
    assert [history.pods["a"].at(index) for index in range(5)] == [(10, 1), (10, 1), (0, 0), (10, 1), (0, 0)]
    assert [history.pods["b"].at(index) for index in range(4)] == [(0, 0), (10, 1), (10, 1), (10, 1)]


# Releases that never were.


@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_both_sides_together_are_what_was(seed, keep, pods):
    history = past(60, burst=3, pods=pods, keep=keep, seed=seed)
    ticks = list(splitter(history).ticks(0, Random(seed)))
    assert [tick.number for tick in ticks] == list(range(1, 61))
    for index, tick in enumerate(ticks):
        assert tick.candidate.requests + tick.stable.requests == history.requests[index]
        assert tick.candidate.errors + tick.stable.errors == history.errors[index]
        assert 0 <= tick.candidate.errors <= tick.candidate.requests
        ((_, one),), ((_, other),) = tick.candidate.slow, tick.stable.slow
        assert one + other == history.slow[500][index]


def test_the_candidate_gets_its_share_and_whole_pods_where_there_are_enough():
    history = past(60, pods=8, keep=True)
    ticks = list(splitter(history).ticks(0, Random(1)))
    assert {tick.candidate.requests for tick in ticks[:20]} == {300}
    assert {tick.candidate.requests for tick in ticks[20:40]} == {600}
    assert {tick.candidate.requests for tick in ticks[40:]} == {1200}
    few = list(splitter(past(60, pods=2, keep=True)).ticks(0, Random(1)))
    assert sum(tick.candidate.requests for tick in few[20:40]) == pytest.approx(0.25 * 20 * 600, rel=0.1)


def test_a_burst_goes_to_one_side_whole():
    history = History(Micros(0), STEP)
    for index in range(600):
        history.add([Window(Micros(0), STEP, {"a": Counts(300, 10 if index % 10 == 0 else 0)})], False)
    parts = Splitter(history, STEPS, {None: nature(history)})
    assert round(parts.natures[None].phi) == 10
    errors = {tick.candidate.errors for seed in range(20) for tick in parts.ticks(0, Random(seed))}
    assert errors == {0, 10}


def test_a_worse_candidate_has_so_many_times_the_errors():
    history = past(60, rate=0.02)
    parts = splitter(history)
    healthy = sum(tick.candidate.errors for seed in range(20) for tick in parts.ticks(0, Random(seed)))
    worse = sum(tick.candidate.errors for seed in range(20) for tick in parts.ticks(0, Random(seed), 4.0))
    assert worse / healthy == pytest.approx(4, rel=0.1)
    assert [tick.stable for tick in parts.ticks(0, Random(3), 4.0)] == [
        tick.stable for tick in parts.ticks(0, Random(3))
    ]


def test_the_same_seed_the_same_releases():
    history = past(180)
    one, other = (run(splitter(history), [judge()], 5, 100, lambda _: None) for _ in range(2))
    assert one == other


# What comes out.


@pytest.fixture(scope="module")
def found():
    """A threshold of 99 % that may never be breached, where one percent fails: hopeless, and the ratio beside it."""
    history = past(6000, rate=0.01, burst=4)
    parts = splitter(history)
    judges = [judge(), judge("threshold"), judge("threshold", today=True)]
    shares: list[float] = []
    trials = run(parts, judges, 1, 1000, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return history, parts, judges, trials


def told_of(found, **changes: Any):
    history, parts, judges, trials = found
    asked = report.Asked("checkout", "http://prometheus", "istio", ("destination_service_name",), "5 % for 5m", 1)
    return report.document(
        report.Asked(**{**{name: getattr(asked, name) for name in asked.__slots__}, **changes}),
        history, parts.natures, judges, trials, None,
    )  # fmt: skip


def test_a_gate_over_its_budget_is_refused_for_blocking_and_one_within_is_not(found):
    told = told_of(found)
    assert told["healthy_releases"] == 100
    ratio, threshold, today = told["gates"]
    assert ratio["false_rollbacks"]["rate"] <= 0.05
    assert not ratio["refused"]
    assert threshold["false_rollbacks"]["rate"] > 0.9
    assert (threshold["verdict"], threshold["refused"]) == ("over", True)
    assert (today["verdict"], today["refused"]) == ("over", False)
    assert told["refused"] == ["threshold"]
    assert told_of(found, allowed=("threshold",))["refused"] == []


def test_regressions_are_found_and_the_larger_ones_sooner(found):
    ratio = told_of(found)["gates"][0]["regressions"]
    assert [one["times"] for one in ratio] == [2.0, 4.0, 10.0]
    assert ratio[2]["power"] == 1
    assert ratio[2]["median_minutes"] <= ratio[1]["median_minutes"]
    assert len(found[3].gates["ratio"].minutes[2.0]) <= BAD_RELEASES


def test_the_text_names_the_gate_and_what_to_do(found):
    lines = list(report.text(told_of(found, skipped=("conversion",))))
    (row,) = (line for line in lines if line.startswith("threshold   "))
    assert row.endswith("REFUSED for blocking")
    assert any("--allow threshold" in line and "`blocking: false`" in line for line in lines)
    assert any(line.startswith("conversion is not replayed") for line in lines)
    assert any("divided by requests" in line for line in lines)


def test_the_page_stands_alone(found):
    text = page.html(told_of(found))
    assert "<script" not in text
    assert "http" not in text.replace("http://prometheus", "").replace("http_", "")
    assert "prefers-color-scheme: dark" in text
    body = text[text.index("<body>") :].removesuffix("</html>\n")
    plots = list(ET.fromstring(body).iter("svg"))
    assert len(plots) == 5
    assert all(plot.find("title") is not None for plot in plots)


def test_the_page_takes_no_markup_from_outside(found):
    text = page.html(told_of(found, service="<b>x</b>", prometheus="http://a/<script>"))
    assert "<b>x" not in text
    assert "<script" not in text
