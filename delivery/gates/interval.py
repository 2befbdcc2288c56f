"""The interval of ratios that the measurements leave open: what people are shown beside a ratio.

A ratio r is kept while logmeanexp_k l(r_k) - l(r) < log(1/alpha), where l(r) = X*log r - sum over the ticks of
e*log(1 + w*(r-1)), divided by phi (`delivery.gates.evalue.RatioTest`). That may be looked at after every tick: with
probability 1-alpha the true ratio is never left out. The r_k are the nodes of a fixed grid; between them l is read
from the cubic through the nearest four.
"""

import math
from collections.abc import Sequence

LOWEST, HIGHEST = 0.05, 1000.0
"""The grid's ends; an interval that reaches past the lower one is shown from 0."""
_NODES = 28
_STEP = math.log(HIGHEST / LOWEST) / (_NODES - 1)
_LOGS = tuple(math.log(LOWEST) + _STEP * node for node in range(_NODES))
_MORE = tuple(math.expm1(log) for log in _LOGS)
_HALVINGS = 10  # of a cell: to 0.04 percent of the ratio


def start() -> list[int]:
    """The sums of e*log(1 + w*(r-1)) at the nodes, before the first tick; in thousandths, to be short where stored."""
    return [0] * _NODES


def add(sums: Sequence[int], e: int, w: float) -> list[int]:
    """The sums after a tick with `e` bad events, of whose requests the candidate had the share `w`."""
    log1p, thousand = math.log1p, 1000 * e
    return [total + round(thousand * log1p(w * more)) for total, more in zip(sums, _MORE, strict=True)]


def bounds(sums: Sequence[int], x: int, phi: float, alpha: float) -> tuple[float, float]:
    """Lowest and highest ratio that is kept, for `x` bad events of the candidate in all ticks."""
    heights = [(x * log - total / 1000) / phi for log, total in zip(_LOGS, sums, strict=True)]
    top = max(heights)
    peak = heights.index(top)
    level = top + math.log(sum([math.exp(h - top) for h in heights]) / _NODES) + math.log(alpha)
    low, high = 0, _NODES - 1
    if heights[0] < level:
        low = next(node for node in range(peak) if heights[node + 1] >= level)
        lowest = math.exp(_LOGS[low] + _STEP * _crossing(heights, low, level))
    else:
        lowest = 0.0
    if heights[-1] < level:
        high = next(node for node in range(_NODES - 2, peak - 1, -1) if heights[node] >= level)
        highest = math.exp(_LOGS[high] + _STEP * _crossing(heights, high, level))
    else:
        highest = HIGHEST
    return lowest, highest


def _crossing(heights: Sequence[float], node: int, level: float) -> float:
    """Where in the cell after `node`, from 0 to 1, the cubic crosses the level. The cell's ends lie on both sides."""
    first = min(max(node - 1, 0), _NODES - 4)
    a, b, c, d = heights[first : first + 4]
    one, two, three = b - a, c - 2 * b + a, d - 3 * c + 3 * b - a  # Newton's forward differences
    shift = node - first
    rising = heights[node] < level
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        s = middle + shift
        height = a + s * (one + (s - 1) / 2 * (two + (s - 2) / 3 * three))
        if (height < level) is rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
