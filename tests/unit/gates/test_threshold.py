"""What a threshold gate says, window by window."""

import json

import pytest

from delivery.gates import threshold
from delivery.gates.gate import PATIENCE
from delivery.model.ids import SECOND
from delivery.model.verdict import Side, Verdict
from tests.unit.gates.play import SUCCESS, TICK, feed, gate, judged, spec, tick

GOOD, BAD = tick((0, 50), (2, 500)), tick((2, 50), (2, 500))
WINDOW = 4  # ticks of 15 s in a minute


def test_windows_that_keep_the_limit_never_fail_and_never_pass():
    found = judged(gate(SUCCESS), [GOOD] * 40 * WINDOW)
    assert (found.verdict, found.ratio) == (Verdict.CONTINUE, None)
    assert found.detail == "100 % of 200 in 1m, at least 99 % wanted"
    assert (found.candidate, found.stable) == (Side(0, 8000), Side(320, 80_000))


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_it_fails_with_the_breach_after_those_that_are_allowed(limit):
    made = gate({**SUCCESS, "failure_limit": limit})
    allowed = feed(made, [BAD] * WINDOW * limit)
    assert made.judge(allowed).verdict is Verdict.CONTINUE
    almost = feed(made, [BAD] * (WINDOW - 1), allowed)
    assert made.judge(almost).verdict is Verdict.CONTINUE
    failed = made.judge(made.add(almost, BAD))
    assert failed.verdict is Verdict.FAIL
    assert failed.detail == f"96 % of 200 in 1m, at least 99 % wanted; breach {limit + 1}, {limit} allowed"


def test_breaches_count_over_the_whole_release():
    made = gate({**SUCCESS, "failure_limit": 1})
    state = feed(made, [BAD] * WINDOW)
    state = feed(made, [GOOD] * 10 * WINDOW, state)
    state = feed(made, [tick((2, 50), stage=1)] * WINDOW, state)
    assert made.judge(state).verdict is Verdict.FAIL


def test_a_fail_is_for_good_and_shows_the_window_that_failed():
    made = gate({**SUCCESS, "failure_limit": 0})
    failed = feed(made, [BAD] * WINDOW)
    later = feed(made, [GOOD] * 10 * WINDOW + [tick((3, 50))] * WINDOW, failed)
    assert made.judge(later).detail == made.judge(failed).detail
    assert made.judge(later).verdict is Verdict.FAIL


def test_a_window_waits_for_its_requests():
    """One error in twelve requests breaches 99 %, and means nothing."""
    made = gate({**SUCCESS, "failure_limit": 0})
    few = [tick((1, 3))] + [tick((0, 3))] * 3
    assert judged(made, few).verdict is Verdict.CONTINUE
    assert judged(made, few).detail == "has no whole window of 1m and 100 requests yet"
    assert judged(made, few + [tick((0, 3))] * 30).detail == "99.02 % of 102 in 8m30s, at least 99 % wanted"


def test_a_new_stage_begins_a_new_window():
    made = gate({**SUCCESS, "failure_limit": 0})
    state = feed(made, [BAD] * (WINDOW - 1) + [tick((2, 50), stage=1)])
    assert made.judge(state).verdict is Verdict.CONTINUE


@pytest.mark.parametrize(("bad", "verdict"), [(10, Verdict.CONTINUE), (11, Verdict.FAIL)])
@pytest.mark.parametrize(
    "limit",
    [{"threshold": "http_success_rate", "at_least": "90%"}, {"threshold": "http_error_rate", "at_most": "10%"}],
)
def test_the_limit_itself_is_kept(limit, bad, verdict):
    made = gate({**limit, "over": "15s", "failure_limit": 0})
    assert judged(made, [tick((bad, 100))]).verdict is verdict


def test_slow_requests_have_a_share_too():
    made = gate({"threshold": "http_slow_rate", "above": "500ms", "at_most": "5%", "over": "15s", "failure_limit": 0})
    slow = ((250, 90), (500, 6))
    found = judged(made, [tick((0, 100), slow=(slow, ()))])
    assert found.verdict is Verdict.FAIL
    assert found.detail == "6 % of 100 slower than 500 ms in 15s, at most 5 % wanted; breach 1, 0 allowed"
    found = judged(made, [tick((0, 100))] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no latency is measured: there is no histogram")
    unknown = gate({"threshold": "http_slow_rate", "above": "300ms", "at_most": "5%"})
    found = judged(unknown, [tick((0, 100), slow=(slow, ()))] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no latency bucket at 300 ms; there is: 250, 500")


def test_no_requests_and_broken_ticks_are_no_data_after_some_patience():
    made = gate(SUCCESS)
    silent, broken = tick((0, 0), (1, 100)), tick((50, 50), complete=False)
    assert judged(made, [silent] * PATIENCE).detail == "no requests of the candidate"
    found = judged(made, [GOOD] + [broken] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no complete measurement")
    assert found.candidate == Side(0, 50)
    assert judged(made, [GOOD] + [broken] * (PATIENCE - 1)).verdict is Verdict.CONTINUE


def test_a_clock_that_goes_back_ends_no_window():
    made = gate({**SUCCESS, "over": "15s", "failure_limit": 0})
    assert judged(made, [tick((50, 200), lasts=-3600 * SECOND)]).verdict is Verdict.CONTINUE
    assert judged(made, [tick((50, 200), lasts=TICK)]).verdict is Verdict.FAIL


def test_a_state_that_was_stored_at_every_tick_says_the_same():
    made, stored = gate(SUCCESS), json.dumps(gate(SUCCESS).start())
    played = [GOOD, BAD, BAD, tick((9, 60), complete=False)] * 20
    for each in played:
        stored = json.dumps(made.add(json.loads(stored), each), allow_nan=False)
    assert made.judge(json.loads(stored)) == judged(made, played)


def test_at_full_it_can_judge():
    assert threshold.at_full(spec(SUCCESS))
