"""The guarantee itself, through all that a gate does with evidence: under its null it expects 1 at most, at every look.

Exhaustive over every outcome of three ticks, for random rates, splits, cold ticks and beginnings of stages, with a
dispersion that is learned on the way. By Ville's inequality the budget follows.
"""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from delivery.gates.comparison import COLD, Comparison, Window
from delivery.gates.objective import Objective

TICKS = 3
rates = st.floats(0.02, 0.9)
requests = st.integers(0, 2)
looks = st.lists(st.tuples(requests, requests, rates, st.booleans(), st.booleans()), min_size=TICKS, max_size=TICKS)
learned = st.sampled_from([None, 1.0, 3.0])


def expected(state, ticks, null, step, value):
    """The mean of `value` after all ticks, whatever happens; and that it was never above 1 on the way."""
    if not ticks:
        return value(state)
    (n, m, q, cold, begins), *rest = ticks
    p, total = null(q, cold), 0.0
    for x in range(n + 1):
        for y in range(m + 1):
            weight = binom.pmf(x, n, p) * binom.pmf(y, m, q)
            total += weight * expected(step(state, Window(x, n, y, m, cold), begins), rest, null, step, value)
    return total


@settings(max_examples=60, deadline=None)
@given(looks, st.floats(1.0, 3.0), learned, st.integers(1, TICKS))
def test_a_candidate_within_the_margin_is_not_convicted(ticks, r0, phi, until):
    """`until`: the look at which is decided."""
    ticks = [(*ticks[0][:4], True), *ticks[1:]]
    compared = Comparison(r0, 0.001, None, phi, TICKS, warms=True)

    def step(state, window, begins):
        against, starts = state
        if begins:
            starts += 1
            against = compared.begin(against, starts)
        return compared.add(against, window), starts

    def null(q, cold):
        return min(0.99, (max(r0, COLD) if cold else r0) * q)

    def value(state):
        against, starts = state
        return math.exp(compared.worse(against, (TICKS - starts) / TICKS))

    assert expected((compared.start(), 0), ticks[:until], null, step, value) <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(looks, st.floats(1.3, 3.0), learned, st.integers(1, TICKS))
def test_a_candidate_beyond_the_margin_is_not_acquitted_whatever_stable_does(ticks, margin, phi, until):
    """With ticks left out in which stable is not calm."""
    compared = Comparison(1.1, 0.001, margin, phi, 1)

    def null(q, cold):
        return min(1.0, margin * min(q, 1 / margin))

    def value(state):
        return math.exp(compared.better(state))

    calm = [(n, m, min(q, 1 / margin), cold, begins) for n, m, q, cold, begins in ticks]
    start = compared.begin(compared.start(), 1)
    found = expected(start, calm[:until], null, lambda state, window, _: compared.add(state, window), value)
    assert found <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(looks, st.floats(0.01, 0.3), st.floats(1.0, 5.0))
def test_a_rate_below_the_objective_is_not_above_it(ticks, p0, phi):
    objective = Objective(p0, TICKS, warms=True)
    ticks = [(n, 0, q, cold, begins or not index) for index, (n, _, q, cold, begins) in enumerate(ticks)]

    def step(state, window, begins):
        kept, starts = state
        if begins:
            starts += 1
            kept = objective.begin(kept, starts)
        return objective.add(kept, window, phi), starts

    def null(q, cold):
        return min(q, min(0.5, COLD * p0) if cold else p0)

    def value(state):
        kept, starts = state
        return math.exp(objective.worse(kept, (TICKS - starts) / TICKS))

    assert expected((objective.start(), 0), ticks, null, step, value) <= 1 + 1e-9
