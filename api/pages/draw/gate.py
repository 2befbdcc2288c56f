"""What a gate has measured, with its interval, against its limit. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from api.pages.draw.scale import Linear, Log
from api.pages.draw.svg import CHARACTER, Size, drawing, line, tag, text
from delivery.wording.units import percent, ratio

WIDE, NARROW = Size(410, 74), Size(320, 74)
_EDGE = 14
_ROW, _AXIS = 36, 54
_FARTHEST = 32.0
"""Ratios are drawn up to this many times stable's, or down to as small a part of it."""
Scale = Linear | Log


@dataclass(frozen=True, slots=True)
class Times:
    """How many times stable's. No `value`: stable had nothing bad yet. An interval may begin at 0 and have no end."""

    value: float | None
    low: float
    high: float
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the candidate's requests, from 0 to 1, and stable's where it has any. `low` and `high` may be it."""

    value: float
    low: float
    high: float
    limit: float | None = None
    stable: float | None = None


def times(one: Times, size: Size, title: str, class_: str) -> Markup:
    """On a scale on which twice and half are equally far from 1."""
    known = [number for number in (one.value, one.low, one.high, one.limit) if number and math.isfinite(number)]
    low = max(min([0.5, *(0.8 * number for number in known)]), 1 / _FARTHEST)
    high = min(max([2.0, *(1.25 * number for number in known)]), _FARTHEST)
    scale = Log(low, high, _EDGE, size.width - _EDGE)
    marks = [_Mark(1.0, "same as stable", "one")]
    if one.limit is not None:
        marks.append(_Mark(one.limit, f"limit {ratio(one.limit)}×", "limit"))
    inside = [
        *_beyond(one.limit, scale),
        *_ends(f"{ratio(low)}×", f"{ratio(high)}×", scale, marks, size),
        *_marks(marks, scale, size),
        *_interval(one.low, one.high, low, high, scale),
        *_point(one.value, scale),
    ]
    return drawing(size, title, *inside, class_=class_)


def share(one: Share, size: Size, title: str, class_: str) -> Markup:
    """In percent of requests, from 0."""
    top = max([0.001, *(number for number in (one.high, one.limit, one.stable) if number is not None)]) * 1.2
    scale = Linear(0, min(top, 1.0), _EDGE, size.width - _EDGE)
    marks = [] if one.stable is None else [_Mark(one.stable, f"stable {percent(100 * one.stable)}", "one")]
    if one.limit is not None:
        marks.append(_Mark(one.limit, f"limit {percent(100 * one.limit)}", "limit"))
    inside = [
        *_beyond(one.limit, scale),
        *_ends(percent(0), percent(100 * scale.high), scale, marks, size),
        *_marks(marks, scale, size),
        *_interval(one.low, one.high, -1.0, min(top, 1.0), scale),
        *_point(one.value, scale),
    ]
    return drawing(size, title, *inside, class_=class_)


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    name: str
    class_: str


def _beyond(limit: float | None, scale: Scale) -> Iterator[Markup]:
    """Where the candidate is worse than it may be."""
    if limit is not None:
        begin = scale(limit)
        yield tag("rect", x=begin, y=20, width=max(scale.end - begin, 0.0), height=_AXIS - 20, class_="beyond")


def _ends(low: str, high: str, scale: Scale, marks: list[_Mark], size: Size) -> Iterator[Markup]:
    """What the axis begins and ends with, where no mark's name is in the way."""
    taken = [_span(mark, scale, size) for mark in marks if mark.class_ != "limit"]
    width = CHARACTER * max(len(low), len(high)) + 8
    if all(begin > width for begin, _ in taken):
        yield text(2, _AXIS + 16, low)
    if all(end < size.width - width for _, end in taken):
        yield text(size.width - 2, _AXIS + 16, high, "end")


def _span(mark: _Mark, scale: Scale, size: Size) -> tuple[float, float]:
    """From where to where a mark's name goes: centred below it, but inside the drawing."""
    half = CHARACTER * len(mark.name) / 2
    place = min(max(scale(mark.at), half), size.width - half)
    return place - half, place + half


def _marks(marks: list[_Mark], scale: Scale, size: Size) -> Iterator[Markup]:
    """The names of two marks that are close to each other go above and below the axis."""
    yield line(scale.start, _AXIS, scale.end, _AXIS, "grid")
    for mark in marks:
        above = mark.class_ == "limit"
        yield line(scale(mark.at), 18 if above else 26, scale(mark.at), _AXIS + (0 if above else 4), mark.class_)
        begin, end = _span(mark, scale, size)
        yield text((begin + end) / 2, 12 if above else _AXIS + 16, mark.name, "middle", mark.class_)


def _interval(low: float, high: float, least: float, most: float, scale: Scale) -> Iterator[Markup]:
    """Ends with a bar where it ends, with an arrow where it goes on beyond the drawing."""
    begin, end = scale(low), scale(high)
    yield line(begin, _ROW, end, _ROW, "interval")
    yield _end(begin, low < least, -1)
    yield _end(end, high > most or not math.isfinite(high), 1)


def _end(x: float, goes_on: bool, way: int) -> Markup:
    if goes_on:
        tip = x + 8 * way
        return tag("polygon", points=f"{tip:.1f},{_ROW} {x:.1f},{_ROW - 6} {x:.1f},{_ROW + 6}", class_="arrow")
    return line(x, _ROW - 7, x, _ROW + 7, "interval")


def _point(value: float | None, scale: Scale) -> Iterator[Markup]:
    if value is not None:
        yield tag("circle", cx=scale(value), cy=_ROW, r=5, class_="measured")
