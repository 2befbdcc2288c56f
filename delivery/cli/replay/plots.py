"""Plots as inline SVG: no script, colours by the page's style. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28


@dataclass(frozen=True, slots=True)
class Bar:
    """A share with its interval and the budget that it is held against."""

    name: str
    value: float
    low: float
    high: float
    budget: float
    bad: bool


def line(points: Sequence[tuple[float, float]], title: str, ends: tuple[str, str], unit: str) -> str:
    """A line over time; `ends` are written below its ends."""
    if len(points) < 2:
        return ""
    first, last = points[0][0], points[-1][0]
    top = max(value for _, value in points) or 1.0
    across, up = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    path = " ".join(
        f"{_LEFT + across * (at - first) / (last - first):.1f},{_TOP + up * (1 - value / top):.1f}"
        for at, value in points
    )
    inside = [
        *_scale(top, unit),
        f'<polyline class="line" points="{path}"/>',
        _text(_LEFT, HEIGHT - 8, ends[0]),
        _text(WIDTH - _RIGHT, HEIGHT - 8, ends[1], "end"),
    ]
    return _svg(title, inside, HEIGHT)


def bars(found: Sequence[Bar], title: str) -> str:
    """Shares as horizontal bars with whiskers, and a mark at the budget."""
    row, left = 30, 190
    height = row * len(found) + 30
    top = max([0.01, *(max(one.high, one.budget) for one in found)]) * 1.05
    across = WIDTH - left - 70

    def x(value: float) -> float:
        return left + across * min(value, top) / top

    inside = []
    for number, one in enumerate(found):
        y = 8 + row * number
        kind = "bad" if one.bad else "good"
        inside += [
            _text(left - 8, y + 15, one.name, "end"),
            f'<rect class="{kind}" x="{left}" y="{y + 3}" width="{max(1.0, x(one.value) - left):.1f}" height="16"/>',
            f'<line class="whisker" x1="{x(one.low):.1f}" x2="{x(one.high):.1f}" y1="{y + 11}" y2="{y + 11}"/>',
            f'<line class="budget" x1="{x(one.budget):.1f}" x2="{x(one.budget):.1f}" y1="{y}" y2="{y + 22}"/>',
            _text(max(x(one.high), x(one.budget)) + 6, y + 15, f"{100 * one.value:.2g} %"),
        ]
    inside.append(_text(left, height - 6, "0 %"))
    inside.append(_text(left + across, height - 6, f"{100 * top:.2g} %", "end"))
    return _svg(title, inside, height)


def columns(values: Sequence[float], title: str, below: str) -> str:
    """Values between -1 and 1 as columns, such as correlations by their lag."""
    across, up = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    top = max(0.1, *(abs(value) for value in values))
    middle = _TOP + up / 2
    width = across / len(values)
    inside = [*_ends(top), f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{middle}" y2="{middle}"/>']
    for number, value in enumerate(values):
        size = up / 2 * abs(value) / top
        y = middle - size if value > 0 else middle
        inside.append(
            f'<rect class="good" x="{_LEFT + width * number + 2:.1f}" y="{y:.1f}" width="{width - 4:.1f}"'
            f' height="{max(size, 0.5):.1f}"/>'
        )
    inside.append(_text(_LEFT + across / 2, HEIGHT - 8, below, "middle"))
    return _svg(title, inside, HEIGHT)


def _scale(top: float, unit: str) -> list[str]:
    found = []
    for part in (0.0, 0.5, 1.0):
        y = _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - part)
        found.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(_text(_LEFT - 6, y + 4, f"{top * part:.2g}{unit}", "end"))
    return found


def _ends(top: float) -> list[str]:
    return [_text(_LEFT - 6, _TOP + 8, f"{top:.2f}", "end"), _text(_LEFT - 6, HEIGHT - _BOTTOM, f"-{top:.2f}", "end")]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, inside: Sequence[str], height: int) -> str:
    body = "".join(inside)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f"{body}</svg>"
    )
