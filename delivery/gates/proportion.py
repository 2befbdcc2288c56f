"""The interval of a share that may be looked at after every tick.

For x events among n the shares p are kept at which the mixture over all shares, with a uniform prior, has less than
1/alpha times the likelihood of p: B(x+1, n-x+1) / (p^x * (1-p)^(n-x)) < 1/alpha, B the beta function. That is an
E-process for each p, so that with probability 1-alpha the true share is never left out (Robbins 1970).
"""

import math

_HALVINGS = 40


def bounds(x: int, n: int, alpha: float) -> tuple[float, float]:
    """Lowest and highest share that is kept."""
    if not n:
        return 0.0, 1.0
    level = math.lgamma(x + 1) + math.lgamma(n - x + 1) - math.lgamma(n + 2) + math.log(alpha)
    return _edge(x, n, level, 0.0), _edge(x, n, level, 1.0)


def _edge(x: int, n: int, level: float, end: float) -> float:
    """Between the best share and an end, where the likelihood falls to the level."""
    inside, outside = x / n, end
    if inside == end or _log_likelihood(x, n, end) >= level:
        return end
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if _log_likelihood(x, n, middle) >= level:
            inside = middle
        else:
            outside = middle
    return inside


def _log_likelihood(x: int, n: int, p: float) -> float:
    good = n - x
    if (p <= 0 and x) or (p >= 1 and good):
        return -math.inf
    return (x * math.log(p) if x else 0.0) + (good * math.log1p(-p) if good else 0.0)
