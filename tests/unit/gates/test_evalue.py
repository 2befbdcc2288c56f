"""The mathematics, held against SciPy and against exhaustive enumeration."""

import math
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom

from delivery.gates import evalue
from delivery.gates.evalue import GRID, RateTest, RatioTest

rates = st.floats(0.001, 0.95)
sizes = st.integers(0, 7)
margins = st.floats(1.0, 3.0)
dispersions = st.sampled_from([1.0, 1.7, 4.0])


def value(lanes):
    return math.exp(evalue.log_value(lanes))


def fresh():
    return evalue.begin(evalue.idle(), 1)


def expectation(grow, sides):
    """The mean of `grow(x, y)` over all outcomes of two binomial sides (n, p)."""
    (n, p), (m, q) = sides
    return sum(binom.pmf(x, n, p) * binom.pmf(y, m, q) * grow(x, y) for x in range(n + 1) for y in range(m + 1))


@settings(max_examples=150, deadline=None)
@given(sizes, sizes, rates, rates, margins, dispersions)
def test_ratio_worse_expects_at_most_1_while_the_candidate_is_within_the_margin(n, m, p, q, r0, phi):
    p = min(p, r0 * q)
    test = RatioTest.worse(r0)
    w = n / (n + m) if n + m else 0.0
    grown = expectation(lambda x, y: value(test.add(fresh(), x, x + y, w, phi)), ((n, p), (m, q)))
    assert grown <= 1 + 1e-9


@settings(max_examples=150, deadline=None)
@given(sizes, sizes, rates, rates, margins, dispersions)
def test_ratio_better_expects_at_most_1_while_the_candidate_is_beyond_the_margin(n, m, p, q, r0, phi):
    q = min(q, p / r0)
    test = RatioTest.better(r0)
    w = n / (n + m) if n + m else 0.0
    grown = expectation(lambda x, y: value(test.add(fresh(), x, x + y, w, phi)), ((n, p), (m, q)))
    assert grown <= 1 + 1e-9


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 12), rates, rates, dispersions)
def test_rate_tests_expect_at_most_1_on_their_side_of_the_boundary(n, p, p0, phi):
    test = RateTest.worse(p0) if p <= p0 else RateTest.better(p0)
    assert sum(binom.pmf(x, n, p) * value(test.add(fresh(), x, n, phi)) for x in range(n + 1)) <= 1 + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), rates), min_size=3, max_size=3), margins)
def test_a_mixture_over_starts_expects_at_most_1_at_every_look(ticks, r0):
    """Exhaustive over three ticks with a baseline that moves, and a start of its own at each."""
    test = RatioTest.worse(r0)

    def mean(lanes, index):
        lanes = evalue.begin(lanes, len(ticks))
        n, m, q = ticks[index]
        p, w = min(0.95, r0 * q), n / (n + m) if n + m else 0.0
        waiting = (len(ticks) - index - 1) / len(ticks)

        def grow(x, y):
            after = test.add(lanes, x, x + y, w)
            now = math.exp(evalue.log_value(after, waiting))
            return now if index + 1 == len(ticks) else mean(after, index + 1)

        return expectation(grow, ((n, p), (m, q)))

    assert mean(evalue.idle(), 0) <= 1 + 1e-9


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.01, 0.99), margins)
def test_the_ratio_test_is_the_conditional_binomial_likelihood_ratio(x, y, w, r0):
    """Given e bad events in all, x of them are the candidate's with probability w*r / (1 + w*(r-1))."""

    def share(r):
        return w * r / (1 + w * (r - 1))

    lanes = RatioTest.worse(r0).add(fresh(), x, x + y, w)
    wanted = [binom.logpmf(x, x + y, share(r0 * g)) - binom.logpmf(x, x + y, share(r0)) for g in GRID]
    assert lanes == pytest.approx(wanted, abs=1e-7)


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0.0005, 0.6))
def test_the_rate_test_is_the_binomial_likelihood_ratio(x, good, p0):
    odds = [p0 / (1 - p0) * g for g in GRID]
    lanes = RateTest.worse(p0).add(fresh(), x, x + good)
    wanted = [binom.logpmf(x, x + good, o / (1 + o)) - binom.logpmf(x, x + good, p0) for o in odds]
    assert lanes == pytest.approx(wanted, abs=1e-7)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 20)), min_size=1, max_size=12))
def test_lanes_hold_the_mean_over_separately_started_processes(ticks):
    """The sum kept for each alternative is what one process for each start would give."""
    test, starts = RatioTest.worse(1.1), sum(starts for starts, _, _ in ticks) + 2
    lanes, separate = evalue.begin(evalue.idle(), starts), [[0.0] * len(GRID)]
    for begins, x, y in ticks:
        if begins:
            lanes, separate = evalue.begin(lanes, starts), [*separate, [0.0] * len(GRID)]
        lanes = test.add(lanes, x, x + y, 0.3)
        separate = [test.add(process, x, x + y, 0.3) for process in separate]
    waiting = (starts - len(separate)) / starts
    terms = [lane for process in separate for lane in process]
    wanted = logsumexp([*terms, 0.0], b=[1 / len(GRID) / starts] * len(terms) + [waiting])
    assert evalue.log_value(lanes, waiting) == pytest.approx(wanted, abs=1e-9)


def test_a_process_that_has_not_begun_stands_at_one():
    assert evalue.log_value(evalue.idle(), 1.0) == 0.0


def test_years_of_evidence_neither_overflow_nor_underflow():
    healthy = reduce(lambda lanes, _: RatioTest.worse(1.1).add(lanes, 500, 10_500, 0.05), range(200), fresh())
    sick = reduce(lambda lanes, _: RatioTest.worse(1.1).add(lanes, 5_000, 15_000, 0.05), range(200), fresh())
    assert evalue.log_value(healthy) < -1000
    assert evalue.log_value(healthy, 0.5) == pytest.approx(math.log(0.5))
    assert evalue.log_value(evalue.begin(healthy, 2)) == pytest.approx(math.log(0.5))
    assert evalue.log_value(sick) > 1000
    assert math.isfinite(evalue.log_value(sick, 0.5))


def test_nothing_is_learned_where_the_candidate_has_every_request():
    lanes = fresh()
    for _ in range(1000):
        lanes = RatioTest.worse(1.1).add(lanes, 900, 900, 1.0)
    assert lanes == fresh()


def test_dispersion_divides_the_evidence():
    one, two = (RatioTest.worse(1.1).add(fresh(), 9, 20, 0.1, phi) for phi in (1.0, 2.0))
    assert two == pytest.approx([lane / 2 for lane in one])


def test_requests_without_an_error_that_show_a_rate_to_be_below_an_objective():
    """The figures of docs/gates.md."""

    def needed(p0):
        test, lanes, n = RateTest.better(p0), fresh(), 0
        while evalue.log_value(lanes) < math.log(20):
            lanes, n = test.add(lanes, 0, 1), n + 1
        return n

    assert (needed(0.01), needed(0.001)) == (385, 3863)


@given(st.lists(st.floats(-50, 50), max_size=len(GRID)), st.floats(0, 1))
def test_the_quick_bound_is_never_below_the_evidence(lanes, waiting):
    assert evalue.most(lanes) >= evalue.log_value(lanes, waiting)
