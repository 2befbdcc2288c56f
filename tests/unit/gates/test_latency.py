"""What a latency gate says: the shares of slow requests, never a quantile."""

import numpy as np
import pytest

from delivery.gates import latency
from delivery.gates.gate import PATIENCE
from delivery.model.verdict import Side, Verdict
from tests.unit.gates.play import LATENCY, gate, judged, spec, tick


def look(candidate, stable, requests=(200, 3800)):
    """A tick with so many requests slower than 250 ms and than 500 ms on each side."""
    (over, far_over), (stable_over, stable_far_over) = candidate, stable
    slow = ((250, over), (500, far_over)), ((250, stable_over), (500, stable_far_over))
    return tick((0, requests[0]), (0, requests[1]), slow=slow)


def test_a_candidate_that_is_as_slow_as_stable_goes_on():
    found = judged(gate(LATENCY), [look((10, 2), (190, 38))] * 2)
    assert found.verdict is Verdict.CONTINUE


def test_a_candidate_with_a_slow_tail_fails_by_the_bound_that_shows_it():
    found = judged(gate(LATENCY), [look((12, 12), (190, 38))] * 8)
    assert found.verdict is Verdict.FAIL
    assert found.detail == "slower than 500 ms"
    assert found.candidate == Side(96, 1600)
    assert found.ratio == pytest.approx(6.0)


def test_a_candidate_that_is_shown_to_be_no_slower_passes():
    assert judged(gate(LATENCY), [look((50, 10), (950, 190), (1000, 19_000))] * 20).verdict is Verdict.PASS


def test_a_pass_needs_every_bound():
    one_bound_only = look((50, 3), (950, 57), (1000, 19_000))
    words = {**LATENCY, "no_worse_than": 1.5}
    assert judged(gate({**words, "above": "250ms"}), [one_bound_only] * 10).verdict is Verdict.PASS
    assert judged(gate(words), [one_bound_only] * 10).verdict is Verdict.CONTINUE


def test_every_bound_that_is_watched_costs_some_evidence():
    """The bounds share one budget: a mean, not the worst of them."""

    def fails_at(above):
        made = gate({**LATENCY, "above": above})
        state = made.start()
        for number in range(1, 100):
            state = made.add(state, look((10, 4), (190, 38)))
            if made.judge(state).verdict is Verdict.FAIL:
                return number
        return None

    assert fails_at("500ms") < fails_at(["500ms", "250ms"])


def test_errors_are_no_slow_requests():
    failing = tick((200, 200), (0, 3800), slow=(((250, 10), (500, 2)), ((250, 190), (500, 38))))
    assert judged(gate(LATENCY), [failing] * 2).verdict is Verdict.CONTINUE


def test_a_bound_that_nobody_measures_is_no_data_and_is_named():
    found = judged(gate({**LATENCY, "above": "300ms"}), [look((1, 1), (1, 1))] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no latency bucket at 300 ms; there is: 250, 500")


TIMED = ((250, 190), (500, 38))


@pytest.mark.parametrize("timed", [((), TIMED), (TIMED, ()), ((), ())])
@pytest.mark.parametrize("bad", [0, 3800])
def test_requests_of_which_nobody_measures_how_long_they_took_are_no_data(timed, bad):
    """A version without a histogram would have no slow requests, and so would one that answers nothing at all."""
    found = judged(gate(LATENCY), [tick((bad, 3800), (0, 3800), slow=timed)] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no latency is measured: there is no histogram")


def test_at_full_it_says_nothing():
    assert not latency.at_full(spec(LATENCY))


def lognormal(rng, requests, factor=1.0, spiked=0.0):
    """Slower than each bound among so many requests of a service with a median of 90 ms and a p99 of 290 ms."""
    times = 90 * factor * rng.lognormal(0, 0.5, requests)
    times[rng.random(requests) < spiked] += 1000
    return int((times > 250).sum()), int((times > 500).sum())


def minutes(rng, **regression):
    """When the gate fails at 100 requests a second of which 5 % reach the candidate; None within 30 minutes."""
    made = gate(LATENCY)
    state = made.start()
    for number in range(1, 121):
        n, m = int(rng.poisson(75)), int(rng.poisson(1425))
        state = made.add(state, look(lognormal(rng, n, **regression), lognormal(rng, m), (n, m)))
        if made.judge(state).verdict is Verdict.FAIL:
            return number / 4
    return None


def test_healthy_candidates_stay_and_slow_ones_are_found():
    rng = np.random.default_rng(5)
    assert sum(minutes(rng) is not None for _ in range(40)) <= 40 * 0.05
    assert np.median([minutes(rng, factor=1.3) or 99 for _ in range(20)]) <= 2.5
    assert np.median([minutes(rng, spiked=0.02) or 99 for _ in range(20)]) <= 1.0
