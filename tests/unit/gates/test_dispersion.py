"""What is learned of stable: how bursty its errors are, and whether it is as it was."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.gates import calm, dispersion
from delivery.gates.dispersion import PRIOR
from delivery.model.verdict import Verdict
from tests.unit.gates.play import feed, gate, tick

LEARNING = {"ratio": "http_errors"}
RPS, SECONDS, BASELINE = 100, 15, 0.005


def learned(counts):
    state = dispersion.start()
    for y, m in counts:
        state = dispersion.add(state, y, m)
    return dispersion.phi(state)


@pytest.mark.parametrize("burst", [1, 2, 5, 12])
def test_bursts_of_k_are_dispersion_k_whatever_the_rate_and_the_number_of_requests(burst):
    rng = np.random.default_rng(burst)
    sizes = rng.integers(200, 4000, 3000)
    found = learned((burst * int(rng.poisson(m * 0.004 / burst)), int(m)) for m in sizes)
    assert found == pytest.approx(burst, rel=0.15)


def test_a_baseline_that_moves_slowly_is_no_burst():
    rng = np.random.default_rng(2)
    day = [0.01 * (1.2 + np.sin(look / 200)) for look in range(2000)]
    assert learned((int(rng.binomial(2000, rate)), 2000) for rate in day) == pytest.approx(1, abs=0.15)


def test_nothing_seen_is_the_prior_and_never_less_than_1():
    assert dispersion.phi(dispersion.start()) == PRIOR
    assert learned([(100, 1000)] * 200) == 1.0


def test_requests_without_errors_teach_nothing():
    assert learned([(0, 1000)] * 50) == PRIOR


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3000)), max_size=40))
def test_what_is_known_is_plain_and_never_below_1(counts):
    state = dispersion.start()
    for y, m in counts:
        state = dispersion.add(state, min(y, m), m)
    assert json.loads(json.dumps(state)) == state
    assert dispersion.phi(state) >= 1


def bursty(rng, burst, looks=120):
    def side(share):
        n = RPS * SECONDS * share
        return burst * int(rng.poisson(n * BASELINE / burst)), int(n)

    return [tick(side(0.05), side(0.95)) for _ in range(looks)]


def test_the_next_release_begins_with_what_the_last_one_learned():
    rng = np.random.default_rng(9)
    made = gate(LEARNING)
    after = feed(made, bursty(rng, 5))
    failed = sum(made.judge(feed(made, bursty(rng, 5), made.start(after))).verdict is Verdict.FAIL for _ in range(150))
    assert failed <= 0.05 * 150
    assert dispersion.phi(made.start(after)["against"][0]["spread"]) == pytest.approx(5, rel=0.3)


def test_but_no_evidence_about_the_version_before():
    made = gate(LEARNING)
    bad = feed(made, [tick((30, 200), (19, 3800))] * 20)
    assert made.judge(bad).verdict is Verdict.FAIL
    fresh = made.start(bad)
    assert made.judge(fresh).verdict is Verdict.CONTINUE
    assert {key: value for key, value in fresh["against"][0].items() if key != "spread"} == {
        key: value for key, value in made.start()["against"][0].items() if key != "spread"
    }


def test_a_given_dispersion_is_not_learned_over():
    """Stable without any burst, and a gate that was told of bursts of 20."""
    calm_stable, told = [tick((4, 200), (19, 3800))] * 15, gate({**LEARNING, "dispersion": 20})
    assert told.judge(feed(told, calm_stable)).verdict is Verdict.CONTINUE
    assert gate(LEARNING).judge(feed(gate(LEARNING), calm_stable)).verdict is Verdict.FAIL


def test_stable_is_calm_until_it_has_far_more_than_ever():
    state = calm.start()
    assert calm.is_calm(state, 500, 1000), "nothing to compare with yet"
    for _ in range(20):
        state = calm.add(state, 5, 1000)
    assert calm.is_calm(state, 18, 1000)
    assert not calm.is_calm(state, 60, 1000)


def test_a_stable_that_begins_to_crash_does_not_show_that_the_candidate_is_no_worse():
    """Four times stable's usual rate: against the crashing stable it would look three times better."""
    made = gate({**LEARNING, "dispersion": 1.0, "worse_than": 5.0}, alpha=1e-6)
    usual = [tick((2, 100), (10, 2000))] * 8
    crashing = [tick((2, 100), (120, 2000))] * 60
    assert made.judge(feed(made, usual + crashing)).verdict is not Verdict.PASS
    alike = [tick((6, 100), (120, 2000))] * 60
    assert made.judge(feed(made, alike)).verdict is Verdict.PASS, "where it always was like this, it is what there is"


def test_an_objective_alone_acquits_nobody_while_stable_is_down():
    """Below 100 percent: that stable's requests went elsewhere is no reason to end a bake."""
    made = gate({**LEARNING, "objective": "5%"})
    down = [tick((0, 1000), (0, 0), stable_down=True)] * 20
    assert made.judge(feed(made, down)).verdict is Verdict.CONTINUE
    assert made.judge(feed(made, [*down, tick((0, 50), (5, 950))])).verdict is Verdict.CONTINUE
    assert made.judge(feed(made, [tick((0, 1000), (0, 0))] * 20)).verdict is Verdict.PASS, "as at 100 percent"


def test_no_verdict_comes_from_ticks_without_a_ready_stable():
    made = gate({**LEARNING, "dispersion": 1.0}, stages=1)
    down = [tick((0, 1000), (900, 1000), stable_down=True)] * 60
    found = made.judge(feed(made, down))
    assert (found.verdict, found.detail) == (Verdict.CONTINUE, "stable has no ready instance to compare with")
    sick = [tick((8, 200), (19, 3800))]
    at_once = feed(made, sick * 3)
    assert made.judge(at_once).verdict is Verdict.FAIL
    assert made.judge(feed(made, sick * 2 + down + sick)).verdict is Verdict.FAIL, "evidence is not washed away"
