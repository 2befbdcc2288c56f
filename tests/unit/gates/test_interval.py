"""The interval shown to people, held against its exact definition and against its promise."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logsumexp

from delivery.gates import interval
from delivery.gates.interval import HIGHEST, LOWEST

ALPHA = 0.05


def summed(ticks):
    """Sums at the nodes, and the bad events of the candidate, for ticks of (x, y, w)."""
    sums = interval.start()
    for x, y, w in ticks:
        sums = interval.add(sums, x + y, w)
    return sums, sum(x for x, _, _ in ticks)


def exact(ticks, phi=1.0):
    """The interval by its definition: the likelihood itself, its roots found by SciPy."""

    def height(log):
        r = math.exp(log)
        return sum(x * log - (x + y) * math.log1p(w * (r - 1)) for x, y, w in ticks) / phi

    nodes = np.linspace(math.log(LOWEST), math.log(HIGHEST), 28)
    heights = np.array([height(node) for node in nodes])
    level = logsumexp(heights) - math.log(len(nodes)) - math.log(1 / ALPHA)
    grid = np.linspace(nodes[0], nodes[-1], 20_001)
    kept = grid[np.array([height(log) for log in grid]) >= level]

    def edge(outside, inside):
        return math.exp(brentq(lambda log: height(log) - level, outside, inside))

    step = grid[1] - grid[0]
    low = 0.0 if kept[0] == grid[0] else edge(kept[0] - step, kept[0])
    high = HIGHEST if kept[-1] == grid[-1] else edge(kept[-1] + step, kept[-1])
    return low, high


@pytest.mark.parametrize(
    ("ticks", "phi"),
    [
        ([(41, 160, 0.0755)], 1.0),
        ([(5, 30, 0.05), (2, 4, 0.3), (9, 11, 0.5)], 1.0),
        ([(5, 30, 0.05), (2, 4, 0.3), (9, 11, 0.5)], 2.5),
        ([(300, 2700, 0.1)], 1.0),
        ([(2_000, 2_000, 0.5)], 1.0),
        ([(1, 0, 0.05)], 1.0),
        ([(0, 40, 0.3)], 1.0),
        ([(25, 1, 0.02)], 1.0),
        ([(0, 1, 0.001)], 1.0),
    ],
)
def test_bounds_are_those_of_the_definition(ticks, phi):
    sums, x = summed(ticks)
    low, high = interval.bounds(sums, x, phi, ALPHA)
    wanted = exact(ticks, phi)
    assert low == pytest.approx(wanted[0], rel=0.02, abs=0.001)
    assert high == pytest.approx(wanted[1], rel=0.02)


def test_the_interval_narrows_with_evidence_and_holds_the_ratio():
    widths = []
    for times in (1, 10, 100):
        sums, x = summed([(30 * times, 190 * times, 0.05)])
        low, high = interval.bounds(sums, x, 1.0, ALPHA)
        assert low < 3.0 < high
        widths.append(high / low)
    assert widths[0] > widths[1] > widths[2]


def test_no_bad_event_of_the_candidate_leaves_every_low_ratio_possible():
    sums, x = summed([(0, 200, 0.2)])
    low, high = interval.bounds(sums, x, 1.0, ALPHA)
    assert low == 0.0
    assert high < 1


def test_no_bad_event_of_stable_leaves_every_high_ratio_possible():
    sums, x = summed([(20, 0, 0.2)])
    low, high = interval.bounds(sums, x, 1.0, ALPHA)
    assert low > 1
    assert high == HIGHEST


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_the_true_ratio_is_never_left_out_at_any_look_but_for_alpha(ratio):
    """A hundred looks in each of 300 seeded runs, with a baseline and a split that move."""
    rng = np.random.default_rng(11)
    missed = 0
    for _ in range(300):
        rate, w = rng.uniform(0.002, 0.01, 100), rng.choice([0.05, 0.25, 0.5], 100)
        total = rng.poisson(400, 100)
        bad = rng.poisson(total * w * rate * ratio), rng.poisson(total * (1 - w) * rate)
        sums, x, out = interval.start(), 0, False
        for t in range(100):
            x += int(bad[0][t])
            sums = interval.add(sums, int(bad[0][t] + bad[1][t]), float(w[t]))
            low, high = interval.bounds(sums, x, 1.0, ALPHA)
            out = out or not low <= ratio <= high
        missed += out
    assert missed <= 300 * ALPHA
