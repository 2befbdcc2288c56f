"""A gate against stable as it was before: for stages in which stable gets nothing."""

import random
from dataclasses import replace

import pytest

from delivery.gates.gate import PATIENCE
from delivery.gates.outlook import Load, outlooks
from delivery.gates.previous import KEPT
from delivery.model.ids import MINUTE, SECOND, Micros
from delivery.model.plan import Stage
from delivery.model.traffic import Traffic
from delivery.model.verdict import Baseline, Counts, Earlier, Verdict
from delivery.testing.builders import a_plan
from delivery.wording.verdict import brief, finding
from tests.unit.gates.play import ERRORS, KINDS, feed, spec, tick

BEFORE = replace(spec(ERRORS, "before"), baseline=Baseline.PREVIOUS, at_full=True)


def gate(**params):
    made = replace(BEFORE, params={**BEFORE.params, **params})
    return KINDS["ratio"].build(made, 0.05, 1)


def at_full(bad, earlier, number=0, **changes):
    """Fifteen seconds in which the candidate has all of 1500 requests, beside what stable did twenty minutes before."""
    now = number * 15 * SECOND
    told = None if earlier is None else Earlier(Counts(1500, earlier), Micros(now - 20 * MINUTE))
    return replace(tick((bad, 1500), (0, 0), start=now), earlier=told, **changes)


def test_worse_than_before_fails_and_says_that_time_is_a_reason_too():
    made = gate()
    told = made.judge(feed(made, [at_full(40, 8, number) for number in range(8)]))
    assert told.verdict is Verdict.FAIL
    assert told.baseline is Baseline.PREVIOUS
    assert finding(told).startswith("before 5 times what stable had before (")
    assert "stable as it was 20 min before, confounded by time" in finding(told)
    assert brief(told).startswith("before 5x stable before (")


def test_as_before_is_no_worse():
    made = gate()
    assert made.verdict(feed(made, [at_full(8, 8, number) for number in range(40)])) is not Verdict.FAIL


def test_the_same_ticks_without_it_say_nothing_for_ever():
    made = KINDS["ratio"].build(spec(ERRORS), 0.05, 1)
    assert made.verdict(feed(made, [at_full(40, None)] * 100)) is Verdict.CONTINUE


def test_a_stable_that_is_down_now_was_not_then():
    made = gate()
    state = feed(made, [at_full(40, 8, number, stable_down=True) for number in range(8)])
    assert made.verdict(state) is Verdict.FAIL


def test_nothing_on_record_is_no_data_and_never_a_silent_pass():
    made = gate()
    state = feed(made, [at_full(40, None)] * (PATIENCE - 1))
    assert made.verdict(state) is Verdict.CONTINUE
    told = made.judge(feed(made, [at_full(40, None)], state))
    assert (told.verdict, told.detail) == (Verdict.NO_DATA, "nothing is on record of stable before this release")


def test_an_objective_judges_without_any_record():
    made = gate(objective=0.01)
    assert made.verdict(feed(made, [at_full(60, None)] * 20)) is Verdict.FAIL


def test_a_record_that_is_used_up_adds_nothing():
    made = gate()
    state = feed(made, [at_full(8, 8, number) for number in range(8)])
    before = made.judge(state)
    after = made.judge(feed(made, [at_full(800, None, number) for number in range(8, 40)], state))
    assert after.verdict is before.verdict
    assert after.ratio == before.ratio
    assert after.interval == pytest.approx(before.interval, rel=0.01)


def test_what_cannot_be_read_is_no_data_with_its_reason_here_too():
    made = gate()
    told = made.judge(feed(made, [at_full(8, 8)] + [replace(at_full(8, 8), complete=False)] * PATIENCE))
    assert told.verdict is Verdict.NO_DATA


def test_a_level_shift_of_the_whole_service_is_what_it_cannot_tell():
    """The price, as a test: an incident of everybody after the release looks like the candidate's."""
    made = gate()
    assert made.verdict(feed(made, [at_full(80, 8, number) for number in range(8)])) is Verdict.FAIL


@pytest.mark.parametrize("seed", range(3))
def test_the_budget_holds_where_nothing_but_the_version_has_changed(seed):
    chance, failed, made = random.Random(seed), 0, gate()
    for _ in range(60):
        state = made.start()
        for number in range(40):
            x, y = (sum(chance.random() < 0.005 for _ in range(400)) for _ in range(2))
            earlier = Earlier(Counts(400, y), Micros(0))
            state = made.add(state, replace(tick((x, 400), start=number * 15 * SECOND), earlier=earlier))
        failed += made.verdict(state) is Verdict.FAIL
    assert failed <= 3 + 3, "alpha is 0.05 of 60"


def test_plan_says_what_it_would_see():
    full = Stage("switch", "blue_green", Traffic(weight=100), Micros(10 * MINUTE), Micros(31 * MINUTE), (BEFORE.id,))
    plan = a_plan(full, gates=(BEFORE,))
    (told,) = outlooks(plan, Load(50, 0.005), KINDS["ratio"].build, random.Random(1))
    assert {seen.times: seen.found for seen in told.seen}[10] == 1.0
    assert KEPT * 15 >= 10 * 60, "so much is on record"
