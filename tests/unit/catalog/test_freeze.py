"""Freeze windows, over changes of clocks too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.catalog.freeze import frozen, is_zone, problem
from delivery.model.context import Freeze
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.service import FreezeRule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEKEND = FreezeRule("0 18 * * FRI", "Europe/Berlin", Micros(60 * HOUR))
NIGHT = FreezeRule("0 22 * * *", "UTC", Micros(8 * HOUR))


def at(text: str, zone: str = "Europe/Berlin") -> Micros:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return Micros((local - EPOCH) // timedelta(microseconds=1))


def test_a_window_opens_on_the_second_and_closes_on_the_second() -> None:
    opens, closes = at("2026-11-20T18:00:00"), at("2026-11-23T06:00:00")
    window = Freeze("0 18 * * FRI Europe/Berlin", opens, closes)
    assert frozen([WEEKEND], Micros(opens - 1)) == (None, opens)
    assert frozen([WEEKEND], opens) == (window, closes)
    assert frozen([WEEKEND], Micros(opens + 1)) == (window, closes)
    assert frozen([WEEKEND], Micros(closes - 1)) == (window, closes)
    assert frozen([WEEKEND], closes) == (None, at("2026-11-27T18:00:00"))


@pytest.mark.parametrize(
    ("friday", "monday"),
    [("2026-03-27T18:00:00", "2026-03-30T07:00:00"), ("2026-10-23T18:00:00", "2026-10-26T05:00:00")],
)
def test_a_window_lasts_real_time_where_clocks_change(friday: str, monday: str) -> None:
    opens = at(friday)
    freeze, edge = frozen([WEEKEND], Micros(opens + 40 * HOUR))
    assert freeze is not None
    assert (freeze.start, edge) == (opens, at(monday))


def test_an_opening_in_the_hour_that_is_skipped_comes_right_after_it() -> None:
    rule = FreezeRule("30 2 * * *", "Europe/Berlin", HOUR)
    before, after = at("2026-03-29T01:59:00"), at("2026-03-29T03:00:00")
    assert frozen([rule], before) == (None, after)
    freeze, _ = frozen([rule], Micros(after + MINUTE))
    assert freeze is not None
    assert freeze.start == after


def test_an_opening_in_the_hour_that_comes_twice_is_one() -> None:
    rule = FreezeRule("30 2 * * *", "Europe/Berlin", Micros(10 * MINUTE))
    first = Micros((datetime(2026, 10, 25, 0, 30, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1))
    assert frozen([rule], Micros(first + MINUTE))[0] is not None
    assert frozen([rule], Micros(first + HOUR + MINUTE)) == (None, at("2026-10-26T02:30:00"))


def test_in_the_second_of_two_equal_hours_what_opened_in_the_first_is_open_and_what_comes_is_not() -> None:
    second_ten_past_two = Micros((datetime(2026, 10, 25, 1, 10, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1))
    opened = FreezeRule("30 2 * * *", "Europe/Berlin", HOUR)
    assert frozen([opened], second_ten_past_two)[1] == second_ten_past_two + 20 * MINUTE
    coming = FreezeRule("0 3 * * *", "Europe/Berlin", HOUR)
    assert frozen([coming], second_ten_past_two) == (None, at("2026-10-25T03:00:00"))


def test_of_several_windows_the_one_that_closes_last_is_told() -> None:
    saturday_night = at("2026-11-21T23:00:00")
    freeze, edge = frozen([NIGHT, WEEKEND], saturday_night)
    assert freeze is not None
    assert (freeze.name, edge) == ("0 18 * * FRI Europe/Berlin", at("2026-11-23T06:00:00"))
    noon = at("2026-11-24T12:00:00", "UTC")
    assert frozen([NIGHT, WEEKEND], noon) == (None, at("2026-11-24T22:00:00", "UTC"))


def test_windows_that_overlap_themselves_are_open_until_the_last_one_closes() -> None:
    rule = FreezeRule("0 * * * *", "UTC", Micros(3 * HOUR))
    now = at("2026-11-24T12:30:00", "UTC")
    freeze, edge = frozen([rule], now)
    assert freeze is not None
    assert (freeze.start, edge) == (at("2026-11-24T12:00:00", "UTC"), at("2026-11-24T15:00:00", "UTC"))


def test_no_rules_no_freeze() -> None:
    assert frozen([], Micros(0)) == (None, None)


changes = [
    at("2026-03-29T03:00:00"),
    at("2026-10-25T03:00:00"),
    at("2026-03-08T07:00:00", "UTC"),
    at("2026-11-01T06:00:00", "UTC"),
]
times = st.integers(at("2026-01-01T00:00:00"), at("2028-01-01T00:00:00")).map(Micros) | st.builds(
    lambda change, minutes: Micros(change + minutes * MINUTE), st.sampled_from(changes), st.integers(-200, 200)
)
rules = st.builds(
    FreezeRule,
    st.sampled_from(
        ["0 18 * * FRI", "30 2 * * *", "*/20 1-3 * * *", "0 0 29 2 *", "15 2 25 10 *", "* * * * *", "0 0 L * *"]
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from([MINUTE, HOUR, Micros(60 * HOUR)]),
)


@given(rules, times)
def test_the_next_edge_is_where_the_answer_changes_and_not_before(rule: FreezeRule, now: Micros) -> None:
    freeze, edge = frozen([rule], now)
    assert edge is not None
    assert edge > now
    just_before, _ = frozen([rule], Micros(edge - 1))
    if freeze is None:
        assert just_before is None
        opened, _ = frozen([rule], edge)
        assert opened is not None
        assert opened.start == edge
    else:
        assert freeze.start <= now < freeze.end == edge
        assert freeze.end - freeze.start == rule.lasts
        assert just_before is not None
        middle, _ = frozen([rule], Micros((now + edge) // 2))
        assert middle is not None


@pytest.mark.parametrize("name", ["", "Europe", "Europe/Berln", "../etc/passwd", "/etc/passwd", "a\0b", "x" * 300])
def test_what_is_no_time_zone(name: str) -> None:
    assert not is_zone(name)
    assert is_zone("Europe/Berlin")


@pytest.mark.parametrize(
    "cron",
    ["", "0 18 * *", "0 0 18 * * FRI", "61 * * * *", "0 18 * * FRY", "0 0 31 2 *", "0 0 30 2 *", "@daily"],
    ids=repr,
)
def test_what_is_no_expression(cron: str) -> None:
    assert problem(FreezeRule(cron, "UTC", SECOND))
    assert problem(FreezeRule("0 18 * * FRI", "UTC", SECOND)) is None
    assert problem(FreezeRule("0 0 29 2 *", "UTC", SECOND)) is None
