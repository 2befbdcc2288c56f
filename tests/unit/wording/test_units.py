import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.model.ids import HOUR, MINUTE, SECOND
from delivery.wording.units import THIN, capital, counted, duration, instant, listed, moment, number, percent, ratio


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"),
        (-5 * SECOND, "0s"),
        (1_840_000, "1.8s"),
        (9_960_000, "10s"),
        (45 * SECOND, "45s"),
        (59_700_000, "1m"),
        (150 * SECOND, "2m30s"),
        (90 * MINUTE, "1h30m"),
        (90 * MINUTE + 29 * SECOND, "1h30m"),
        (47 * HOUR, "47h"),
        (76 * HOUR, "3d4h"),
    ],
)
def test_a_duration_shows_what_matters_at_its_size(span, text):
    assert duration(span) == text


@given(st.integers(0, 10**13))
def test_a_duration_is_never_off_by_more_than_a_twentieth(span):
    units = {"d": 24 * HOUR, "h": HOUR, "m": MINUTE, "s": SECOND}
    total, digits = 0.0, ""
    for char in duration(span):
        if char in units:
            total += float(digits) * units[char]
            digits = ""
        else:
            digits += char
    assert abs(total - span) <= max(0.05 * span, 0.051 * SECOND)


def test_thousands_are_apart_by_a_narrow_space():
    assert [number(n).replace(THIN, "_") for n in (0, 812, 9950, 1234567)] == ["0", "812", "9_950", "1_234_567"]


def test_percentages():
    assert [percent(p).replace(THIN, "_") for p in (5, 4.94, 0.1, 0.254, 0, 100)] == [
        "5_%",
        "4.9_%",
        "0.1_%",
        "0.25_%",
        "0_%",
        "100_%",
    ]


def test_ratios_are_precise_where_it_matters():
    assert [ratio(r) for r in (3.104, 1.02, 1.0, 0.62, 9.6, 15.2, 99.7, math.inf)] == [
        "3.1",
        "1.02",
        "1",
        "0.62",
        "9.6",
        "15",
        "100",
        "∞",
    ]


def test_times():
    assert instant(1_795_514_531_250_000) == "2026-11-24T10:02:11.250Z"
    assert instant(1_795_514_531_000_000) == "2026-11-24T10:02:11.000Z"
    assert moment(1_795_514_531_250_000) == "2026-11-24 10:02:11 UTC"


def test_lists():
    assert [listed(items) for items in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == ["", "a", "a and b", "a, b and c"]
    assert listed(("a", "b"), "or") == "a or b"
    assert counted(1, "stage") == "1 stage"
    assert counted(0, "stage") == "0 stages"


def test_a_sentence_begins_with_a_capital_unless_with_a_name_that_has_none() -> None:
    assert capital("ab_test (1/3) needs 1 of sre") == "ab_test (1/3) needs 1 of sre"
    assert (capital("canary 5%"), capital("1.4.2 is"), capital("")) == ("Canary 5%", "1.4.2 is", "")
