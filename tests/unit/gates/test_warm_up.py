"""A candidate that is cold: what may be held against it, and from when on."""

import pytest

from delivery.gates.gate import PATIENCE
from delivery.model.ids import MINUTE
from delivery.model.verdict import Verdict
from tests.unit.gates.play import ERRORS, LATENCY, SUCCESS, TICK, feed, gate, tick

WARM = {**ERRORS, "warm_up": "3m"}
LOOKS = 3 * MINUTE // TICK


def stage(bad, looks, number=0, since=0):
    return [tick((bad, 200), (19, 3800), stage=number, start=since + look * TICK) for look in range(looks)]


def verdict(words, ticks, stages=2):
    made = gate(words, stages=stages)
    return made.judge(feed(made, ticks)).verdict


def test_four_times_as_many_errors_in_the_first_minutes_fail_nobody():
    cold = [*stage(4, LOOKS), *stage(1, 40, since=LOOKS * TICK)]
    assert verdict(WARM, cold) is not Verdict.FAIL
    assert verdict(ERRORS, cold) is Verdict.FAIL


def test_and_from_then_on_they_do():
    assert verdict(WARM, stage(4, LOOKS)) is Verdict.CONTINUE
    assert verdict(WARM, stage(4, LOOKS + 12)) is Verdict.FAIL


def test_a_candidate_that_fails_everything_is_taken_back_at_once():
    assert verdict(WARM, stage(200, 1)) is Verdict.FAIL


def test_an_objective_is_wider_too():
    objective = {**WARM, "objective": "1%", "worse_than": 100}
    assert verdict(objective, stage(6, LOOKS)) is Verdict.CONTINUE
    assert verdict(objective, stage(6, LOOKS + 20)) is Verdict.FAIL
    assert verdict(objective, stage(100, LOOKS)) is Verdict.FAIL


def test_every_stage_brings_cold_pods():
    warm = stage(1, 20)
    assert verdict(WARM, [*warm, *stage(4, LOOKS, number=1, since=20 * TICK)]) is Verdict.CONTINUE
    assert verdict(ERRORS, [*warm, *stage(4, LOOKS, number=1, since=20 * TICK)]) is Verdict.FAIL


def slow(looks, since=0):
    sides = ((250, 150), (500, 40)), ((250, 40), (500, 10))
    return [tick((0, 200), (0, 3800), slow=sides, start=since + look * TICK) for look in range(looks)]


def test_slow_requests_of_a_cold_candidate_count_for_nothing():
    words = {**LATENCY, "warm_up": "3m"}
    assert verdict(words, slow(LOOKS)) is Verdict.CONTINUE
    assert verdict(words, slow(LOOKS + 2)) is Verdict.FAIL
    made = gate(words)
    assert made.judge(feed(made, slow(LOOKS))).candidate.total == 0, "they are not shown as what was compared either"


def test_a_cold_candidate_is_no_missing_data():
    assert verdict({**LATENCY, "warm_up": "3m"}, slow(PATIENCE + 1)) is Verdict.CONTINUE
    assert verdict({**SUCCESS, "warm_up": "3m"}, stage(1, PATIENCE + 1)) is Verdict.CONTINUE


@pytest.mark.parametrize(("looks", "wanted"), [(LOOKS + 15, Verdict.CONTINUE), (LOOKS + 16, Verdict.FAIL)])
def test_windows_of_a_threshold_begin_after_it(looks, wanted):
    """Four windows of a minute breach after the warm-up; what breached before is not counted."""
    assert verdict({**SUCCESS, "warm_up": "3m"}, stage(20, looks)) is wanted
