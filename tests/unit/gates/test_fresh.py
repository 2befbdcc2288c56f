"""A gate against a copy of stable that is as young as the candidate."""

import random
from dataclasses import replace

import pytest

from delivery.gates import split
from delivery.gates.fresh import ABSENT, BROKEN
from delivery.gates.gate import PATIENCE
from delivery.gates.outlook import Load, outlooks
from delivery.model.ids import SECOND
from delivery.model.traffic import Traffic
from delivery.model.verdict import Baseline, Counts, Verdict
from delivery.testing.builders import a_plan, a_stage
from delivery.wording.verdict import brief, finding
from tests.unit.gates.play import ERRORS, KINDS, LATENCY, feed, spec, tick

FRESH = replace(spec(ERRORS), baseline=Baseline.FRESH)


def gate(words=ERRORS, baseline=Baseline.FRESH):
    made = replace(spec(words), baseline=baseline)
    return KINDS[made.kind].build(made, 0.05, 1)


def beside(bad, copy, number=0, *, stable=(2, 1350), **changes):
    """Fifteen seconds in which candidate and copy have 75 of 1500 requests each; `copy` None: it has none."""
    counts = None if copy is None else Counts(75, copy)
    return replace(tick((bad, 75), stable, start=number * 15 * SECOND), copy=counts, **changes)


def test_a_slow_start_that_both_have_takes_nobody_back():
    """Beside a warm stable the same candidate is rolled back."""
    ticks = [beside(cold, cold, number) for number, cold in enumerate((30, 20, 12, 6, 3, 2, 1, 1))]
    assert gate(baseline=None).verdict(feed(gate(baseline=None), ticks)) is Verdict.FAIL
    assert gate().verdict(feed(gate(), ticks)) is not Verdict.FAIL


def test_one_that_only_the_candidate_has_does():
    told = gate().judge(feed(gate(), [beside(20, 1, number) for number in range(6)]))
    assert (told.verdict, told.baseline) == (Verdict.FAIL, Baseline.FRESH)
    assert finding(told).startswith("errors 20 times those of a copy of stable as young as it (")
    assert finding(told).endswith("120 of 450 against 6 of 450")
    assert brief(told).startswith("errors 20x stable's copy (")


def test_slow_requests_are_compared_with_it_too():
    def slow(own, other, number):
        told = tick((0, 75), (0, 1350), slow=(((250, own),), ((250, 10),)), start=number * 15 * SECOND)
        return replace(told, copy=Counts(75, 0, ((250, other),)))

    words = {**LATENCY, "above": ["250ms"]}
    assert gate(words).verdict(feed(gate(words), [slow(40, 40, number) for number in range(8)])) is not Verdict.FAIL
    assert gate(words).verdict(feed(gate(words), [slow(40, 1, number) for number in range(8)])) is Verdict.FAIL


def test_without_a_copy_there_is_no_data_and_no_pass():
    made = gate()
    good = [beside(2, 30, number) for number in range(10)]
    state = feed(made, good)
    assert made.verdict(state) is Verdict.PASS
    for missing in range(1, PATIENCE + 1):
        state = made.add(state, beside(0, None, 10 + missing))
        assert made.verdict(state) is (Verdict.NO_DATA if missing == PATIENCE else Verdict.CONTINUE)
    assert ABSENT.text in finding(made.judge(state))
    assert made.verdict(made.add(state, beside(2, 30, 20))) is Verdict.PASS, "it is there again"


def test_a_copy_that_fails_everything_makes_no_candidate_look_good():
    """It has died, and requests are sent to it for a moment still."""
    made = gate()
    state = feed(made, [beside(30, 75, number) for number in range(PATIENCE)])
    assert made.verdict(state) is Verdict.NO_DATA
    assert BROKEN.text in finding(made.judge(state))


def test_an_incident_of_everybody_is_none_of_the_copy():
    made = gate()
    assert made.verdict(feed(made, [beside(70, 70, number, stable=(1300, 1350)) for number in range(8)])) not in (
        Verdict.FAIL,
        Verdict.NO_DATA,
    )


def test_what_was_shown_before_the_copy_was_gone_stays_shown():
    made = gate()
    state = feed(made, [beside(40, 1, number) for number in range(6)])
    assert made.verdict(feed(made, [beside(0, None, 7)] * PATIENCE, state)) is Verdict.FAIL


def test_it_does_not_matter_that_stable_is_down_as_long_as_its_copy_is_not():
    made = gate()
    assert made.verdict(feed(made, [beside(40, 1, number, stable_down=True) for number in range(6)])) is Verdict.FAIL


def _cold(chance, number):
    """Of 75 requests, those that a version fails which is so many ticks old."""
    return sum(chance.random() < 0.2 / (1 + number) for _ in range(75))


@pytest.mark.parametrize("seed", range(3))
def test_healthy_releases_stay_within_their_budget(seed):
    chance, failed, releases = random.Random(seed), 0, 60
    for _ in range(releases):
        made = gate()
        ticks = [beside(_cold(chance, number), _cold(chance, number), number) for number in range(20)]
        failed += made.verdict(feed(made, ticks)) is Verdict.FAIL
    assert failed / releases <= 0.1


def test_the_copys_share_is_looked_at_as_well():
    assert split.of_copy(Traffic(20, baseline=20)) == pytest.approx(0.2)
    assert split.of_copy(Traffic(20)) is None
    state = split.start()
    for _ in range(4):
        state = split.add(state, 150, 850, 0.05)
    assert split.told(state, 0.05, split.COPY).startswith("the copy of stable got 15 % of")


def test_what_it_would_see_is_told_beforehand():
    """With as few requests on the other side it sees less than beside all of stable, and later."""
    stages = (a_stage(5, traffic=Traffic(5, baseline=5)), a_stage(50, traffic=Traffic(50, baseline=25)))

    def seen(baseline):
        made = a_plan(*stages, gates=(replace(spec(ERRORS), baseline=baseline),))

        def build(one, alpha, count):
            return KINDS[one.kind].build(one, alpha, count)

        (found,) = outlooks(made, Load(20, 0.01), build, random.Random(7))
        return {one.times: one.found for one in found.seen}

    beside_stable, beside_copy = seen(None), seen(Baseline.FRESH)
    assert beside_copy[10] > 0.9
    assert beside_copy[2] <= beside_stable[2] + 0.1
