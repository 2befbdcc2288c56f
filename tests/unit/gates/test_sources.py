"""The pod that has the errors is named where chance does not explain it."""

from dataclasses import replace

from delivery.gates import deltas, sources
from delivery.model.ids import Micros
from delivery.model.series import Sample, Series
from delivery.model.verdict import Counts, Verdict
from tests.unit.gates.play import ERRORS, TICK, feed, gate, tick


def told(*ticks):
    state = sources.start()
    for requests, errors, named in ticks:
        state = sources.add(state, Counts(requests, errors, sources=named))
    return sources.concentrated(state)


def test_a_pod_with_most_errors_and_few_requests_is_named():
    assert told((300, 41, (("pod-a", 99, 36), ("pod-b", 101, 5)))) == (
        "36 of 41 errors from pod-a, which had 33 % of the requests"
    )


def test_errors_everywhere_name_nobody():
    assert told((300, 41, (("pod-a", 100, 15), ("pod-b", 100, 13), ("pod-c", 100, 13)))) == ""


def test_two_errors_may_be_chance():
    assert told((300, 2, (("pod-a", 100, 2),))) == ""


def test_the_only_pod_that_gets_requests_is_no_news():
    assert told((300, 41, (("pod-a", 300, 41),))) == ""


def test_it_is_the_sum_of_all_ticks():
    ticks = [(300, 4, (("pod-a", 100, 4),))] * 3
    assert told(*ticks) == "12 of 12 errors from pod-a, which had 33 % of the requests"


def test_what_is_kept_stays_small():
    state = sources.start()
    for number in range(500):
        state = sources.add(state, Counts(10, 1, sources=((f"pod-{number}", 10, 1),)))
    assert len(state["by"]) <= 16
    assert state["bad"] == 500


def sample(**series):
    return Sample(Micros(0), series)


def test_a_tick_names_the_sources_of_its_errors_since_the_last_one():
    base = {"a": Series(100, 5), "b": Series(100, 9)}
    now = sample(a=Series(150, 8), b=Series(160, 9), c=Series(5, 5))
    assert deltas.sources(base, now) == (("c", 5, 5), ("a", 50, 3))


def test_one_source_needs_no_name_and_neither_does_a_tick_without_errors():
    assert deltas.sources({"a": Series(100, 5)}, sample(a=Series(150, 8))) is None
    assert deltas.sources({}, sample(a=Series(150, 0), b=Series(3, 0))) is None


def test_at_most_five_are_named():
    found = deltas.sources({}, sample(**{f"pod{n}": Series(10, n + 1) for n in range(9)}))
    assert found is not None
    assert [name for name, _, _ in found] == ["pod8", "pod7", "pod6", "pod5", "pod4"]


def test_a_gate_that_fails_says_where_the_errors_come_from():
    bad = tick((8, 200), (19, 3800))
    named = replace(bad, candidate=replace(bad.candidate, sources=(("pod-a", 66, 8),)))
    made = gate(ERRORS)
    found = made.judge(feed(made, [named] * 3))
    assert found.detail == "24 of 24 errors from pod-a, which had 33 % of the requests"


def test_a_fail_says_after_how_long():
    made = gate(ERRORS)
    found = made.judge(feed(made, [tick((1, 200), (19, 3800))] * 4 + [tick((9, 200), (19, 3800))] * 9))
    assert found.verdict is Verdict.FAIL
    assert found.lasted == 6 * TICK
