"""Which pod, proxy or endpoint the candidate's errors come from: one bad node looks like a bad version."""

import math

from delivery.gates.gate import State
from delivery.model.verdict import Counts

_KEPT = 16
_LEAST = 3  # errors
_DOUBT = 7.0  # log of how much less likely an even spread would have to be: 1 in 1100


def start() -> State:
    """All errors and requests of the ticks that name sources, and those of each source."""
    return {"bad": 0, "of": 0, "by": {}}


def add(state: State, counts: Counts) -> State:
    """After one more tick of the candidate."""
    if not counts.sources:
        return state
    by: dict[str, list[int]] = dict(state["by"])
    for name, requests, errors in counts.sources:
        bad, of = by.get(name, (0, 0))
        by[name] = [bad + errors, of + requests]
    if len(by) > _KEPT:
        by = dict(sorted(by.items(), key=lambda item: (-item[1][0], item[0]))[:_KEPT])
    return {"bad": state["bad"] + counts.errors, "of": state["of"] + counts.requests, "by": by}


def concentrated(state: State) -> str:
    """`36 of 41 errors from pod-a, which had 33 % of the requests`, where chance does not explain it; else nothing."""
    bad, of = state["bad"], state["of"]
    if bad < _LEAST or not state["by"]:
        return ""
    name, (own, requests) = max(state["by"].items(), key=lambda item: (item[1][0], item[0]))
    share = requests / of if of else 1.0
    if 2 * own < bad or not 0 < share < 1 or own / bad <= share or bad * _divergence(own / bad, share) < _DOUBT:
        return ""
    return f"{own} of {bad} errors from {name}, which had {100 * share:.0f} % of the requests"


def _divergence(found: float, even: float) -> float:
    """Kullback and Leibler's, of two shares: how much evidence each error carries."""
    rest = (1 - found) * math.log((1 - found) / (1 - even)) if found < 1 else 0.0
    return found * math.log(found / even) + rest
