"""What a ratio gate says, tick by tick."""

import json

import pytest

from delivery.gates import comparing, ratio
from delivery.gates.gate import PATIENCE
from delivery.model.verdict import Side, Verdict
from tests.unit.gates.play import ERRORS, feed, gate, judged, spec, tick

OBJECTIVE = {**ERRORS, "objective": "1%"}
HEALTHY = tick((1, 200), (19, 3800))
SICK = tick((8, 200), (19, 3800))


def test_a_healthy_candidate_goes_on():
    found = judged(gate(ERRORS), [HEALTHY] * 4)
    assert found.verdict is Verdict.CONTINUE
    assert (found.candidate, found.stable) == (Side(4, 800), Side(76, 15_200))
    assert found.ratio == pytest.approx(1.0)
    assert found.interval is not None
    assert found.interval[0] < 1 < found.interval[1]


def test_a_candidate_that_is_much_worse_fails():
    found = judged(gate(ERRORS), [SICK] * 3)
    assert found.verdict is Verdict.FAIL
    assert found.ratio == pytest.approx(8.0)
    assert found.interval is not None
    assert 1.1 < found.interval[0] < 8 < found.interval[1]


def test_a_candidate_that_is_shown_to_be_no_worse_passes():
    found = judged(gate(ERRORS), [tick((5, 1000), (95, 19_000))] * 20)
    assert found.verdict is Verdict.PASS


def test_an_incident_that_hits_both_fails_nobody():
    incident = tick((100, 1000), (900, 9000))
    assert judged(gate(ERRORS), [incident] * 20).verdict is not Verdict.FAIL


def test_fewer_than_three_bad_events_never_fail():
    state = feed(gate(ERRORS), [tick((2, 2), (0, 100_000))])
    assert gate(ERRORS).judge(state).verdict is Verdict.CONTINUE
    assert gate(ERRORS).judge(feed(gate(ERRORS), [tick((1, 1), (0, 1000))], state)).verdict is Verdict.FAIL


def test_below_the_floor_nothing_fails_however_much_worse_it_is():
    """Ten times stable, and still four times better than the floor."""
    rare = tick((5, 20_000), (10, 380_000))
    assert judged(gate(ERRORS), [rare] * 20).verdict is not Verdict.FAIL
    assert judged(gate({**ERRORS, "floor": "0.01%"}), [rare] * 20).verdict is Verdict.FAIL


def test_a_fail_is_for_good():
    failing = gate(ERRORS)
    state = feed(failing, [SICK] * 3)
    state = feed(failing, [tick((0, 10_000), (5000, 10_000))] * 50, state)
    assert failing.judge(state).verdict is Verdict.FAIL


def test_where_stable_has_no_requests_only_an_objective_can_speak():
    bad, good = tick((20, 1000), stage=1), tick((0, 1000), stage=1)
    assert judged(gate(ERRORS), [bad] * 50).verdict is Verdict.CONTINUE
    assert judged(gate(ERRORS), [bad] * 50).detail == "has no requests of stable to compare with"
    failed = judged(gate(OBJECTIVE), [bad] * 50)
    assert (failed.verdict, failed.ratio, failed.interval) == (Verdict.FAIL, None, None)
    assert failed.detail == "2 % of 50000, at most 1 % wanted"
    assert judged(gate(OBJECTIVE), [good]).verdict is Verdict.PASS


def test_a_few_last_answers_of_stable_are_nothing_to_compare_with():
    ending = [tick((0, 900), (0, 3))] + [tick((0, 1000))] * 9
    assert judged(gate(OBJECTIVE), ending).verdict is Verdict.PASS


def test_at_100_percent_the_stages_before_do_not_count_as_something_to_compare_with():
    made = gate(OBJECTIVE, stages=2)
    state = feed(made, [HEALTHY] * 40 + [tick((0, 1000), stage=1)] * 3)
    assert made.judge(state).verdict is Verdict.PASS


def test_an_objective_fails_a_candidate_that_is_no_worse_than_stable():
    both_bad = tick((30, 1000), (270, 9000))
    assert judged(gate(ERRORS), [both_bad] * 5).verdict is not Verdict.FAIL
    assert judged(gate(OBJECTIVE), [both_bad] * 5).verdict is Verdict.FAIL


def test_with_an_objective_both_must_be_shown_for_a_pass():
    better_than_stable_yet_near_the_objective = tick((9, 1000), (270, 9000))
    assert judged(gate(ERRORS), [better_than_stable_yet_near_the_objective] * 10).verdict is Verdict.PASS
    assert judged(gate(OBJECTIVE), [better_than_stable_yet_near_the_objective] * 10).verdict is Verdict.CONTINUE


def test_an_objective_takes_half_of_the_budget():
    """With half the share as its own budget the plain gate decides at the same tick."""

    def fails_at(made):
        state = made.start()
        for number in range(1, 200):
            state = made.add(state, tick((2, 200), (19, 3800)))
            if made.judge(state).verdict is Verdict.FAIL:
                return number
        return None

    assert fails_at(gate({**ERRORS, "objective": "50%"}, alpha=0.002)) == fails_at(gate(ERRORS, alpha=0.001))
    assert fails_at(gate(ERRORS, alpha=0.0001)) > fails_at(gate(ERRORS, alpha=0.1))


def test_a_pass_needs_its_requests_and_says_so():
    clean = tick((0, 50), (300, 950))
    found = judged(gate({**ERRORS, "min_requests": 1000}), [clean] * 19)
    assert (found.verdict, found.detail) == (Verdict.CONTINUE, "needs 1000 requests in this stage, has 950")
    assert judged(gate({**ERRORS, "min_requests": 1000}), [clean] * 20).verdict is Verdict.PASS


def test_a_fail_does_not_wait_for_requests():
    assert judged(gate({**ERRORS, "min_requests": 1000}), [tick((10, 10), (5, 990))]).verdict is Verdict.FAIL


def test_a_pass_is_of_one_stage():
    passing = gate(ERRORS, stages=2)
    state = feed(passing, [tick((5, 1000), (95, 19_000))] * 20)
    assert passing.judge(state).verdict is Verdict.PASS
    state = passing.add(state, tick((1, 100), (0, 100), stage=1))
    assert passing.judge(state).verdict is Verdict.CONTINUE


@pytest.mark.parametrize(("share", "margin"), [(0.05, 3.0), (0.25, 2.0), (0.5, 1.5)])
def test_a_pass_rules_out_less_as_the_candidate_gets_more(share, margin):
    """A gate whose margin is given in words passes at the same tick."""
    total, slowly = 4000, {**ERRORS, "dispersion": 5.0}
    same = tick(
        (round(total * share * 0.005), round(total * share)),
        (round(total * (1 - share) * 0.005), round(total * (1 - share))),
    )

    def passes_at(words):
        made, state = gate(words), gate(words).start()
        for number in range(1, 300):
            state = made.add(state, same)
            if made.judge(state).verdict is Verdict.PASS:
                return number
        return None

    assert passes_at(slowly) == passes_at({**slowly, "no_worse_than": margin}) is not None
    assert passes_at({**slowly, "no_worse_than": 0.9 * margin}) > passes_at(slowly)


def test_a_late_regression_is_found_sooner_with_a_start_at_its_stage():
    healthy = [tick((1, 200), (19, 3800))] * 300

    def looks(second_stage):
        made = gate(ERRORS, stages=2)
        state = feed(made, healthy)
        for number in range(1, 200):
            state = made.add(state, tick((4, 200), (19, 3800), stage=second_stage))
            if made.judge(state).verdict is Verdict.FAIL:
                return number
        return None

    assert looks(second_stage=1) < looks(second_stage=0)


def test_more_stages_than_the_plan_has_get_no_start_of_their_own():
    """Each start has a share of 1/stages: one more would exceed the budget."""
    made = gate(OBJECTIVE, stages=2)
    within = feed(made, [HEALTHY, tick((1, 200), (19, 3800), stage=1)])
    beyond = made.add(within, tick(stage=2))
    for part in ("worse", "floor"):
        assert beyond["against"][0][part] == within["against"][0][part]
    assert beyond["objective"]["worse"] == within["objective"]["worse"]


def test_requests_are_those_of_the_stage():
    made = gate({**ERRORS, "min_requests": 150}, stages=2)
    state = feed(made, [tick((0, 100), (300, 1900))] * 2 + [tick((0, 100), (300, 1900), stage=1)])
    assert made.judge(state).detail == "needs 150 requests in this stage, has 100"
    state = feed(made, [HEALTHY] + [tick((0, 0), (19, 3800), stage=1)] * PATIENCE)
    assert made.judge(state).verdict is Verdict.NO_DATA


def test_no_request_of_the_candidate_is_no_data_after_some_patience():
    silent = tick((0, 0), (5, 1000))
    made = gate(ERRORS)
    assert judged(made, [silent] * (PATIENCE - 1)).verdict is Verdict.CONTINUE
    found = judged(made, [silent] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no requests of the candidate")
    assert judged(made, [silent] * PATIENCE + [HEALTHY]).verdict is Verdict.CONTINUE


def test_little_traffic_is_data():
    """One request in ten ticks: the stage waits for its requests, and nobody is told that measuring fails."""
    assert judged(gate(ERRORS), [tick((0, 1), (0, 20))] + [tick((0, 0), (0, 20))] * 20).verdict is Verdict.CONTINUE


def test_ticks_that_are_not_complete_count_for_patience_alone():
    broken = tick((200, 200), (0, 3800), complete=False)
    made = gate(ERRORS)
    state = feed(made, [HEALTHY, broken])
    assert made.judge(state).candidate == Side(1, 200)
    assert made.judge(state).verdict is Verdict.CONTINUE
    found = judged(made, [HEALTHY] + [broken] * PATIENCE)
    assert (found.verdict, found.detail) == (Verdict.NO_DATA, "no complete measurement")


def test_before_any_tick_it_says_nothing():
    found = gate(ERRORS).judge(gate(ERRORS).start())
    assert (found.verdict, found.candidate, found.ratio) == (Verdict.CONTINUE, Side(0, 0), None)


def test_the_ratio_does_not_mix_up_stages_with_different_baselines():
    """Pooled, the candidate would look 2.2 times worse: it had half the requests when everything was bad."""
    calm, storm = tick((1, 1000), (19, 19_000)), tick((500, 10_000), (500, 10_000), stage=1)
    assert judged(gate(ERRORS, stages=2), [calm, storm]).ratio == pytest.approx(1.0)


def test_at_full_only_an_objective_speaks():
    assert not ratio.at_full(spec(ERRORS))
    assert ratio.at_full(spec(OBJECTIVE))


def test_errors_that_nothing_stands_beside_move_no_end_of_the_interval():
    made = gate({**ERRORS, "objective": "50%"}, stages=2)
    state = feed(made, [tick((4, 200), (8, 800))] * 10)
    before = made.judge(state).interval
    after = made.judge(feed(made, [tick((60, 1000), (0, 0), stage=1)] * 10, state)).interval
    assert after == pytest.approx(before, rel=0.01)


def test_a_settings_default_is_what_the_documents_say():
    params = spec({"ratio": "http_errors"}).params
    assert params == {
        "measure": "http_errors",
        "objective": None,
        "worse_than": 1.1,
        "no_worse_than": None,
        "floor": 0.001,
        "min_requests": 50,
        "dispersion": None,
        "warm_up": 0,
    }
    assert json.loads(json.dumps(params)) == params
    assert comparing.LEAST_BAD == 3
