"""Are the requests divided as configured (F2)? Where they are not, the candidate is not where we believe it to be.

For a share w of the candidate (or of a copy of stable), n requests of it and m of all others since the stage began, and
k = 200:

    log BF = B(k*w+n, k*(1-w)+m) - B(k*w, k*(1-w)) - n*log(w) - m*log(1-w)        B = log Beta

It is an E-process of "each request goes to the candidate with probability w". A mismatch is said where it reaches
1/ALPHA and the share is off by more than a tenth of the smaller side's: what is merely true with certainty, as an
eleventh of a percent is after a million requests, is nobody's business. It is over when requests since then show the
share to be within that again. A mismatch holds; it says nothing about the candidate and never takes one back.
"""

import math
from collections.abc import Mapping
from typing import Any

from delivery.model.traffic import Traffic

ALPHA = 0.001
TOLERANCE = 0.1
_WEIGHT = 200.0
CANDIDATE, COPY = "the candidate", "the copy of stable"
_SURE = 3  # standard deviations


def start() -> dict[str, Any]:
    """The state at the beginning of a stage, as plain JSON."""
    return {"n": 0, "m": 0, "ticks": 0, "off": False}


def expected(traffic: Traffic) -> float | None:
    """The share of requests that the candidate is to get; None where nobody can say, or where it is all or nothing.

    Rules get whoever meets them, and users who stay where they are do not draw for each request.
    """
    plain = not traffic.rules and traffic.mirror is None and traffic.sticky is None
    return traffic.weight / 100 if plain and 0 < traffic.weight < 100 else None


def of_copy(traffic: Traffic) -> float | None:
    """The share that a copy of stable is to get; None as for the candidate's."""
    return traffic.baseline / 100 if traffic.baseline is not None and expected(traffic) is not None else None


def add(state: Mapping[str, Any], n: int, m: int, w: float) -> dict[str, Any]:
    """After a tick. A stage's first one is left out: it ends requests that the split before it has divided."""
    if not state["ticks"]:
        return {**state, "ticks": 1}
    n, m = state["n"] + n, state["m"] + m
    after = {**state, "n": n, "m": m, "ticks": state["ticks"] + 1}
    if not state["off"]:
        off = log_bayes_factor(n, m, w) >= -math.log(ALPHA) and abs(_share(n, m) - w) > _tolerance(w)
        return {**after, "off": True, "n": 0, "m": 0, "was": [n, m]} if off else after
    doubt = _SURE * math.sqrt(w * (1 - w) / max(1, n + m))
    if abs(_share(n, m) - w) + doubt <= _tolerance(w):
        return {"n": 0, "m": 0, "ticks": after["ticks"], "off": False}
    if doubt <= _tolerance(w) / 2:
        return {**after, "n": 0, "m": 0, "was": [n, m]}
    return after


def told(state: Mapping[str, Any], w: float, whose: str = CANDIDATE) -> str:
    """`5 % configured, 9.1 % of 4 000 requests found`; empty where it is as configured."""
    if not state["off"]:
        return ""
    n, m = state["was"]
    return f"{whose} got {100 * _share(n, m):.3g} % of {n + m} requests, and was to get {100 * w:g} %"


def log_bayes_factor(n: int, m: int, w: float) -> float:
    """Log of the evidence that the share is another one than w."""
    a, b = _WEIGHT * w, _WEIGHT * (1 - w)
    return _log_beta(a + n, b + m) - _log_beta(a, b) - n * math.log(w) - m * math.log(1 - w)


def _share(n: int, m: int) -> float:
    return n / (n + m) if n + m else 0.0


def _tolerance(w: float) -> float:
    return TOLERANCE * min(w, 1 - w)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
