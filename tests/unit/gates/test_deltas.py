"""Raw counters of many sources to what happened between two looks."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from delivery.gates.deltas import carry, counts, restarted
from delivery.model.ids import Micros
from delivery.model.series import Sample, Series
from delivery.model.verdict import Counts


def sample(**series):
    return Sample(Micros(1), series)


def test_what_happened_is_the_sum_of_every_series_own_growth():
    base = {"a": Series(100, 5, ((250, 10),), "1"), "b": Series(40, 0, (), "1")}
    now = sample(a=Series(110, 6, ((250, 13),), "1"), b=Series(41, 1, ((250, 1),), "1"))
    assert counts(base, now) == Counts(11, 2, ((250, 4),))


def test_a_new_series_began_at_zero_so_that_its_first_error_counts():
    assert counts({}, sample(a=Series(1, 1, ((500, 1),)))) == Counts(1, 1, ((500, 1),))


def test_another_epoch_begins_at_zero_however_large_its_numbers_are():
    base, now = {"a": Series(100, 5, ((250, 10),), "1")}, sample(a=Series(300, 7, ((250, 12),), "2"))
    assert counts(base, now) == Counts(300, 7, ((250, 12),))
    assert restarted(base, now)


def test_a_smaller_value_begins_at_zero():
    base = {"a": Series(100, 5, ((250, 10),))}
    assert counts(base, sample(a=Series(30, 1, ((250, 2),)))) == Counts(30, 1, ((250, 2),))
    assert counts(base, sample(a=Series(120, 2, ((250, 3),)))) == Counts(120, 2, ((250, 3),))
    assert restarted(base, sample(a=Series(30, 5)))
    assert restarted(base, sample(a=Series(120, 2)))


def test_a_series_that_is_gone_takes_nothing_away_and_is_no_restart():
    base, now = {"a": Series(100, 5), "b": Series(50, 1)}, sample(b=Series(60, 1))
    assert counts(base, now) == Counts(10, 0)
    assert not restarted(base, now)


def test_a_series_that_comes_back_is_not_counted_a_second_time():
    base = {"a": Series(100, 5), "b": Series(50, 1)}
    base = dict(carry(base, sample(b=Series(60, 1))))
    assert counts(base, sample(a=Series(104, 6), b=Series(61, 1))) == Counts(5, 1)


def test_what_a_source_counted_before_it_was_first_read_has_no_date_and_counts_for_nothing():
    base = dict(carry({}, sample(a=Series(100, 5, held=True), b=Series(50, 1))))
    assert counts(base, sample(a=Series(100, 5, held=True), b=Series(51, 1))) == Counts(1, 0)
    now = sample(a=Series(104, 6), b=Series(51, 1))
    assert counts(base, now) == Counts(1, 0)
    base = dict(carry(base, now))
    assert counts(base, sample(a=Series(106, 7), b=Series(51, 1))) == Counts(2, 1)


def test_what_a_source_counted_while_it_could_not_be_read_counts_when_it_is_back():
    base = dict(carry({"a": Series(100, 5)}, sample(a=Series(100, 5, held=True))))
    assert counts(base, sample(a=Series(104, 6))) == Counts(4, 1)


def test_nothing_is_nothing():
    assert counts({}, sample()) == Counts(0, 0)
    assert not restarted({}, sample(a=Series(4, 1)))


class Sources:
    """Sources that count, restart between looks, hide and come back, and what of all that a look can still see."""

    def __init__(self) -> None:
        self.live: dict[str, tuple[int, int]] = {}
        self.epochs: dict[str, int] = {}
        self.hidden: set[str] = set()
        self.unseen: dict[str, int] = {}
        self.visible = 0

    def grow(self, source: str, good: int, bad: int) -> None:
        requests, errors = self.live.get(source, (0, 0))
        self.live[source] = (requests + good + bad, errors + bad)
        self.unseen[source] = self.unseen.get(source, 0) + good + bad
        self.visible += good + bad

    def restart(self, source: str) -> None:
        """What was counted since the last look is lost."""
        self.live[source] = (0, 0)
        self.epochs[source] = self.epochs.get(source, 0) + 1
        self.visible -= self.unseen.pop(source, 0)

    def look(self) -> Sample:
        self.unseen = {source: number for source, number in self.unseen.items() if source in self.hidden}
        told = {
            source: Series(*counted, epoch=str(self.epochs.get(source, 0)))
            for source, counted in self.live.items()
            if source not in self.hidden
        }
        return sample(**told)


steps = st.lists(
    st.tuples(
        st.sampled_from(["grow", "grow", "grow", "restart", "hide", "look"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(steps)
def test_over_any_number_of_looks_what_is_counted_is_what_could_be_seen(played):
    """Never negative, never twice; only what came after the last look and before a restart is lost."""
    sources, seen = Sources(), 0
    base: Mapping[str, Series] = {}
    for action, source, good, bad in [*played, ("show", "", 0, 0), ("look", "", 0, 0)]:
        if action == "grow":
            sources.grow(source, good, bad)
        elif action == "restart":
            sources.restart(source)
        elif action == "hide":
            sources.hidden ^= {source}
        elif action == "show":
            sources.hidden.clear()
        else:
            now = sources.look()
            found = counts(base, now)
            assert found.requests >= found.errors >= 0
            seen += found.requests
            base = carry(base, now)
    assert seen == sources.visible
