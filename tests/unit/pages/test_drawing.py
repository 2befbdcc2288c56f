"""Drawings: every place lies inside them, whatever is drawn, and nothing of a value becomes markup."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.pages.draw import gate, scale, split
from api.pages.draw.svg import Size, drawing, text
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros

START = 1_795_514_531_000_000
SIZES = st.sampled_from([split.WIDE, split.NARROW])
GATE_SIZES = st.sampled_from([gate.WIDE, gate.NARROW])
PERCENT = st.floats(0, 100)
AT = st.integers(START, START + 60 * 24 * HOUR).map(Micros)
NUMBERS = {"x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "width", "height"}
NAMES = st.text(max_size=40)
RATIO = st.one_of(st.just(0.0), st.just(math.inf), st.floats(0, allow_nan=False))


def places(markup: str, size: Size) -> Iterator[tuple[float, float]]:
    """Every point of a drawing; where only one coordinate is known the other one is a safe one."""
    for one in ET.fromstring(markup).iter():
        get = {key: float(value) for key, value in one.attrib.items() if key in NUMBERS}
        for x, y in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")):
            if x in get:
                yield get[x], get[y]
        if one.tag == "rect":
            yield get["x"] + get["width"], get["y"] + get["height"]
        for pair in one.attrib.get("points", "").split():
            x, y = pair.split(",")
            yield float(x), float(y)


def assert_inside(markup: str, size: Size) -> None:
    for x, y in places(markup, size):
        assert -0.1 <= x <= size.width + 0.1, markup
        assert -0.1 <= y <= size.height + 0.1, markup


@st.composite
def splits(draw: st.DrawFn) -> split.Split:
    """Also with steps outside of the times that are shown, and in no time at all."""
    begin, end = sorted([draw(AT), draw(AT)])
    steps = st.lists(st.builds(split.Step, AT, PERCENT), max_size=6).map(tuple)
    spans = st.lists(st.tuples(AT, AT, NAMES), max_size=4).map(
        lambda found: tuple(split.Span(min(a, b), max(a, b), name) for a, b, name in found)
    )
    return split.Split(begin, end, draw(steps), draw(steps), draw(steps), draw(spans), draw(spans))


@settings(deadline=None)
@given(splits(), SIZES, NAMES)
def test_every_place_of_a_split_is_inside_its_drawing(one: split.Split, size: Size, title: str) -> None:
    printable = "".join(char for char in title if char.isprintable())
    assert_inside(split.draw(_printable(one), size, printable, "wide"), size)


def _printable(one: split.Split) -> split.Split:
    """XML has no place for control characters; names of stages have none."""

    def named(spans: tuple[split.Span, ...]) -> tuple[split.Span, ...]:
        return tuple(
            split.Span(span.begin, span.end, "".join(char for char in span.name if char.isprintable()))
            for span in spans
        )

    return split.Split(one.begin, one.end, one.desired, one.confirmed, one.counted, named(one.stages), named(one.holds))


def test_a_split_of_nothing_and_of_one_moment_can_be_drawn() -> None:
    at = Micros(START)
    assert "polyline" not in split.draw(split.Split(at, at), split.WIDE, "nothing", "wide")
    one = split.Split(at, at, (split.Step(at, 5),), (split.Step(at, 5),), (split.Step(at, 4.9),))
    assert_inside(split.draw(one, split.NARROW, "one", "narrow"), split.NARROW)


def test_a_step_is_drawn_as_a_step_and_lasts_until_the_end() -> None:
    at = Micros(START)
    one = split.Split(at, Micros(at + 100), desired=(split.Step(at, 0), split.Step(Micros(at + 50), 9)))
    (path,) = [
        found.attrib["points"]
        for found in ET.fromstring(split.draw(one, split.WIDE, "", "wide"))
        if found.get("class") == "desired"
    ]
    heights = [float(pair.split(",")[1]) for pair in path.split()]
    assert heights[0] == heights[1] > heights[2] == heights[3]


@settings(deadline=None)
@given(st.one_of(st.none(), RATIO), RATIO, RATIO, st.one_of(st.none(), st.floats(1, 100)), GATE_SIZES)
def test_every_place_of_a_ratio_is_inside_its_drawing(
    value: float | None, one: float, other: float, limit: float | None, size: Size
) -> None:
    low, high = min(one, other), max(one, other)
    assert_inside(gate.times(gate.Times(value, low, high, limit), size, "errors", "wide"), size)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1)), GATE_SIZES)
def test_every_place_of_a_share_is_inside_its_drawing(
    value: float, one: float, other: float, limit: float | None, size: Size
) -> None:
    low, high = min(one, other), max(one, other)
    assert_inside(gate.share(gate.Share(value, low, high, limit, other), size, "success", "wide"), size)


@pytest.mark.parametrize(
    ("low", "high", "arrows"), [(0.5, 2.0, 0), (0.0, 2.0, 1), (0.5, math.inf, 1), (0.0, math.inf, 2), (0.001, 1e6, 2)]
)
def test_an_interval_that_goes_on_ends_in_an_arrow(low: float, high: float, arrows: int) -> None:
    assert gate.times(gate.Times(1.0, low, high, 1.1), gate.WIDE, "", "wide").count("arrow") == arrows


def test_a_ratio_that_is_not_known_has_no_point() -> None:
    assert "measured" not in gate.times(gate.Times(None, 0.0, math.inf), gate.WIDE, "", "wide")


def test_what_is_drawn_is_never_markup() -> None:
    made = drawing(split.WIDE, '"><script>', text(1, 2, "<b>&"))
    root = ET.fromstring(made)
    assert root.attrib["aria-label"] == '"><script>'
    assert [one.text for one in root] == ["<b>&"]


@settings(deadline=None)
@given(AT, st.integers(0, 800 * 24 * HOUR), st.integers(2, 9))
def test_times_are_few_round_and_in_between(begin: Micros, span: int, most: int) -> None:
    found = list(scale.times(begin, Micros(begin + span), most))
    assert len(found) <= most
    assert all(begin <= at <= begin + span for at, _ in found)
    assert [at for at, _ in found] == sorted(at for at, _ in found)


@pytest.mark.parametrize(
    ("span", "first"),
    [(20 * SECOND, "10:02:15"), (10 * MINUTE, "10:04"), (5 * HOUR, "11:00"), (30 * 24 * HOUR, "Nov 26")],
)
def test_times_are_told_as_exactly_as_the_span_needs(span: int, first: str) -> None:
    assert next(scale.times(Micros(START), Micros(START + span), 6))[1] == first


@pytest.mark.parametrize(("highest", "top"), [(0, 2), (1, 2), (5, 10), (9.5, 25), (25, 50), (50, 100), (100, 100)])
def test_the_axis_ends_at_a_round_percent_above_what_is_shown(highest: float, top: int) -> None:
    assert scale.ceiling(highest) == top
