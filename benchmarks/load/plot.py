"""What a tick costs by the number of releases, as an SVG that stands in a page of the documentation. Pure."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 36, 34, 40
_LINES = 4
_COLOURS = ("#1f6feb", "#b3541e")
Points = Sequence[tuple[float, float]]


def growth(lines: Sequence[tuple[str, Points]], title: str, unit: str) -> str:
    """Lines over a logarithmic axis; each has its name and (how many, value)."""
    found = [point for _, points in lines for point in points]
    low, high = (math.log10(edge(x for x, _ in found)) for edge in (min, max))
    top = _LINES * _step(max(y for _, y in found) / _LINES)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low) / max(1e-9, high - low)
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * across, _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - y / top)

    inside = [_text(_LEFT, 18, title, "start", 'font-weight="bold"')]
    for line in range(_LINES + 1):
        value = top * line / _LINES
        _, y = place(found[0][0], value)
        inside.append(f'<path stroke="#8886" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        inside.append(_text(_LEFT - 6, y + 4, f"{value:,.0f}".replace(",", " "), "end"))
    numbers = sorted({x for x, _ in found})
    inside += [_text(place(x, 0)[0], HEIGHT - 20, f"{x:,.0f}".replace(",", " "), "middle") for x in numbers]
    inside.append(_text((WIDTH + _LEFT) / 2, HEIGHT - 4, f"releases at once; {unit}", "middle"))
    for number, (name, points) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [place(*point) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        inside.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        inside += [f'<circle fill="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
        x, y = places[-1]
        inside.append(_text(x, y - 8, name, "end", f'fill="{colour}"'))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" fill="#777"'
    style = 'font-family="system-ui, sans-serif" font-size="12"'
    return f"{head} {style}><title>{escape(title)}</title>{''.join(inside)}</svg>\n"


def _step(least: float) -> float:
    """The next number that reads well: 1, 2, 2.5, 5, 10, 20 ..."""
    power = 10 ** math.floor(math.log10(least))
    return next(found * power for found in (1, 2, 2.5, 5, 10) if found * power >= least)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
