"""A share of users on both sides, with intervals that may be looked at as often as one likes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import binom

from delivery.gates import proportion
from delivery.gates.gate import PATIENCE
from delivery.model.fields import Fields
from delivery.model.mistake import Invalid
from delivery.model.verdict import Counts, Side, Verdict
from tests.unit.gates.play import KINDS, feed, gate, judged, tick

BUYS = {"conversion": "paid"}
ALPHA = 0.05


def look(own, other):
    sides = tick()
    return replace(
        sides,
        candidate=replace(sides.candidate, rates=(("paid", *own),) if own else None),
        stable=replace(sides.stable, rates=(("paid", *other),) if other else None),
    )


def evidence(x, n, p):
    return betaln(x + 1, n - x + 1) - (x * math.log(p) + (n - x) * math.log1p(-p))


@given(st.integers(1, 400), st.integers(1, 4000))
def test_the_interval_is_where_the_evidence_reaches_the_level(x, good):
    n = x + good
    low, high = proportion.bounds(x, n, ALPHA)
    wanted = -math.log(ALPHA)
    assert low == pytest.approx(brentq(lambda p: evidence(x, n, p) - wanted, 1e-12, x / n), abs=1e-6)
    assert high == pytest.approx(brentq(lambda p: evidence(x, n, p) - wanted, x / n, 1 - 1e-12), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_evidence_expects_1_for_the_true_share(n, p):
    grown = sum(binom.pmf(x, n, p) * math.exp(evidence(x, n, p)) for x in range(n + 1))
    assert grown == pytest.approx(1, abs=1e-6)


def test_the_true_share_is_hardly_ever_left_out_at_any_look():
    rng, left_out = np.random.default_rng(4), 0
    for _ in range(300):
        x = n = 0
        for users in rng.poisson(30, 60):
            n += int(users)
            x += int(rng.binomial(users, 0.04))
            low, high = proportion.bounds(x, n, ALPHA)
            if not low <= 0.04 <= high:
                left_out += 1
                break
    assert left_out <= 0.05 * 300


def test_ends():
    assert proportion.bounds(0, 0, ALPHA) == (0.0, 1.0)
    low, high = proportion.bounds(0, 100, ALPHA)
    assert low == 0.0
    assert 0.03 < high < 0.12
    assert proportion.bounds(100, 100, ALPHA) == pytest.approx((1 - high, 1.0))


def test_both_variants_are_told_with_their_intervals():
    found = judged(gate(BUYS), [look((4, 100), (39, 1000))] * 20)
    assert (found.verdict, found.candidate, found.stable) == (Verdict.CONTINUE, Side(80, 2000), Side(780, 20_000))
    assert found.detail == "4 % (2.53 to 5.93), stable's 3.9 % (3.36 to 4.5)"


def test_it_decides_nothing_whatever_happens():
    made = gate(BUYS)
    for sides in (((0, 1000), (500, 1000)), ((500, 1000), (0, 1000))):
        assert made.verdict(feed(made, [look(*sides)] * 50)) is Verdict.CONTINUE


def test_a_side_that_nobody_has_seen_yet():
    assert judged(gate(BUYS), [look(None, (4, 100))]).detail.startswith("nobody yet, stable's 4 %")


def test_a_measure_that_is_not_there_is_no_data_with_its_name():
    found = judged(gate(BUYS), [tick((0, 10), (0, 90))] * PATIENCE)
    reason = "nothing measures paid: the cluster's metrics have no measures of their own"
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, reason)
    assert judged(gate(BUYS), [tick(complete=False)] * PATIENCE).detail == "no complete measurement"


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"rates": (("payed", 1, 9),)}, "nothing measures paid; there is: payed"),
        ({"lacks": (("paid", "its query `of` gives nothing"),)}, "paid is not measured: its query `of` gives nothing"),
        ({"gauges": (("paid", 3.0),)}, "paid is measured as a level, which takes a gauge"),
    ],
)
def test_a_measure_that_is_not_there_is_told_with_what_there_is(counts, reason):
    sides = Counts(9, 0, **counts), Counts(90, 0, **counts)
    found = judged(gate(BUYS), [replace(tick(), candidate=sides[0], stable=sides[1])] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, reason)


@pytest.mark.parametrize("words", [{"blocking": True}, {"require": "pass"}])
def test_a_file_that_wants_it_to_decide_is_refused(words):
    fields = Fields({**BUYS, **words})
    KINDS["conversion"].parse(fields)
    with pytest.raises(Invalid):
        fields.check()
