"""The candidate's share over time: what was wanted, what proxies had proven, what was counted. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from api.pages.draw.scale import Linear, ceiling, times
from api.pages.draw.svg import CHARACTER, Size, drawing, line, tag, text
from delivery.model.ids import Micros
from delivery.wording.units import THIN

WIDE, NARROW = Size(660, 240), Size(330, 220)
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 26, 24
_LABEL = 62
"""Room for the label of a time."""


@dataclass(frozen=True, slots=True)
class Step:
    """From this time on it is so much, in percent."""

    at: Micros
    percent: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stage, or a time in which something held the release."""

    begin: Micros
    end: Micros
    name: str


@dataclass(frozen=True, slots=True)
class Split:
    """A release's traffic between two times. Steps are in order; `counted` are shares at single times."""

    begin: Micros
    end: Micros
    desired: tuple[Step, ...] = ()
    confirmed: tuple[Step, ...] = ()
    counted: tuple[Step, ...] = ()
    stages: tuple[Span, ...] = ()
    holds: tuple[Span, ...] = ()


def draw(split: Split, size: Size, title: str, class_: str) -> Markup:
    """Every place lies inside the drawing, whatever the values are."""
    top = ceiling(max([0.0, *(step.percent for step in (*split.desired, *split.confirmed))]))
    x = Linear(split.begin, split.end, _LEFT, size.width - _RIGHT)
    y = Linear(0, top, size.height - _BOTTOM, _TOP)
    return drawing(
        size,
        title,
        *_holds(split.holds, x, y, top),
        *_percents(top, x, y),
        *_times(split, x, size),
        *_stages(split.stages, x, size),
        *_confirmed(split, x, y),
        *(tag("circle", cx=x(one.at), cy=y(one.percent), r=2, class_="counted") for one in split.counted),
        *_desired(split, x, y),
        class_=class_,
    )


def _percents(top: int, x: Linear, y: Linear) -> Iterator[Markup]:
    for value in (0, top / 2, top):
        yield line(x.start, y(value), x.end, y(value), "grid")
        yield text(x.start - 6, y(value) + 4, f"{value:g}{THIN}%", "end")


def _times(split: Split, x: Linear, size: Size) -> Iterator[Markup]:
    most = max(2, int((x.end - x.start) / _LABEL))
    for at, label in times(split.begin, split.end, most):
        half = CHARACTER * len(label) / 2
        place = min(max(x(at), half), size.width - half)
        yield line(x(at), size.height - _BOTTOM, x(at), size.height - _BOTTOM + 4, "grid")
        yield text(place, size.height - 6, label, "middle")


def _stages(stages: Sequence[Span], x: Linear, size: Size) -> Iterator[Markup]:
    """A line where each stage begins, with as much of its name as there is room for."""
    for stage in stages:
        begin, end = x(stage.begin), x(stage.end)
        yield line(begin, 6, begin, size.height - _BOTTOM, "stage")
        room = int((end - begin - 8) / CHARACTER)
        if len(stage.name) <= room:
            yield text(begin + 5, 17, stage.name, class_="stage")


def _holds(holds: Sequence[Span], x: Linear, y: Linear, top: int) -> Iterator[Markup]:
    for hold in holds:
        begin, width = x(hold.begin), max(x(hold.end) - x(hold.begin), 2.0)
        begin = min(begin, x.end - width)
        yield tag("rect", x=begin, y=y(top), width=width, height=y(0) - y(top), class_="hold")
        place = begin + 4.0
        while place < begin + width - 2:  # hatched: colour alone tells nothing
            yield line(place, y(0), place, y(top), "hatch")
            place += 8.0


def _confirmed(split: Split, x: Linear, y: Linear) -> Iterator[Markup]:
    if not split.confirmed:
        return
    path = _path(split.confirmed, split.end, x, y)
    first, last = x(split.confirmed[0].at), x(split.end)
    yield tag("polygon", points=f"{first:.1f},{y(0):.1f} {path} {last:.1f},{y(0):.1f}", class_="area")
    yield tag("polyline", points=path, class_="confirmed")


def _desired(split: Split, x: Linear, y: Linear) -> Iterator[Markup]:
    if split.desired:
        yield tag("polyline", points=_path(split.desired, split.end, x, y), class_="desired")


def _path(steps: Sequence[Step], end: Micros, x: Linear, y: Linear) -> str:
    points, before = [], None
    for step in steps:
        if before is not None:
            points.append((x(step.at), y(before)))
        points.append((x(step.at), y(step.percent)))
        before = step.percent
    points.append((x(end), y(steps[-1].percent)))
    return " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
