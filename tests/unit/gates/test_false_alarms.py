"""Whole releases at the base setting of the documents: how often a healthy one fails, how soon a bad one does.

100 requests a second, 5 % of them to the candidate, 0.5 % errors, a look every 15 s, 30 minutes, alpha 0.05. Seeded;
larger runs are benchmarks.
"""

import numpy as np
import pytest
from scipy.stats import binomtest

from delivery.model.verdict import Verdict
from tests.unit.gates.play import ERRORS, gate, tick

ALPHA = 0.05
RPS, SECONDS, BASELINE = 100, 15, 0.005
STEADY = ((0.05, 120),)
RAMP = ((0.05, 40), (0.25, 40), (0.5, 40))


def release(made, rng, times=1.0, baseline=lambda look: BASELINE, stages=STEADY):
    """The look at which the gate fails; None where the release comes through."""
    state, look = made.start(), 0
    for stage, (share, looks) in enumerate(stages):
        for _ in range(looks):
            look += 1
            n, m = rng.poisson(RPS * SECONDS * share), rng.poisson(RPS * SECONDS * (1 - share))
            rate = baseline(look)
            candidate, stable = (rng.binomial(n, min(1, rate * times)), n), (rng.binomial(m, rate), m)
            state = made.add(state, tick(candidate, stable, stage=stage))
            if state["failed"]:
                assert made.judge(state).verdict is Verdict.FAIL
                return look
    return None


def failures(made, rng, runs, **settings):
    return sum(release(made, rng, **settings) is not None for _ in range(runs))


def minutes(made, rng, times, runs=60):
    found = [release(made, rng, times=times) or 10_000 for _ in range(runs)]
    return float(np.median(found)) * SECONDS / 60


def within_alpha(failed, runs):
    """Whether so many failures leave no doubt, at 1 in 100, that the rate of them is below alpha."""
    return binomtest(failed, runs, ALPHA, alternative="less").pvalue < 0.01


@pytest.mark.parametrize("worse_than", [1.0, 1.1])
def test_healthy_releases_come_through(worse_than):
    made = gate({**ERRORS, "worse_than": worse_than})
    assert within_alpha(failures(made, np.random.default_rng(3), 400), 400)


def test_healthy_releases_come_through_a_ramp_with_an_incident_that_hits_both():
    def incident(look):
        return 10 * BASELINE if 50 <= look < 60 or 90 <= look < 95 else BASELINE

    made = gate(ERRORS, stages=3)
    assert within_alpha(failures(made, np.random.default_rng(4), 300, baseline=incident, stages=RAMP), 300)


def test_healthy_releases_come_through_with_few_requests():
    made = gate(ERRORS)
    assert within_alpha(failures(made, np.random.default_rng(5), 300, stages=((0.001, 60), (0.002, 60))), 300)


def test_regressions_are_found_in_the_order_of_the_documents():
    """There: x4 in 1.25 minutes, x10 in 0.25, x2 in 6.5 without a margin."""
    rng = np.random.default_rng(6)
    assert 0.75 <= minutes(gate(ERRORS), rng, 4) <= 1.75
    assert minutes(gate(ERRORS), rng, 10) <= 0.5
    assert 5 <= minutes(gate({**ERRORS, "worse_than": 1.0}), rng, 2) <= 9


def test_bursts_need_the_dispersion_that_stable_s_history_shows():
    """Errors in bursts of 5: without it a fair share of healthy releases fail, with it hardly any."""
    rng = np.random.default_rng(7)

    def burst(share):
        return 5 * int(rng.poisson(RPS * SECONDS * share * BASELINE / 5))

    def fails(made):
        state = made.start()
        for _ in range(120):
            state = made.add(state, tick((burst(0.05), 75), (burst(0.95), 1425)))
        return state["failed"] is not None

    assert sum(fails(gate({**ERRORS, "dispersion": 5.0})) for _ in range(60)) <= 60 * ALPHA
    assert sum(fails(gate(ERRORS)) for _ in range(60)) > 60 * 0.2
