"""Gate `ratio`: the candidate's error rate against stable's (F1 and F3 of docs/gates.md). In a service file:

    errors: {ratio: http_errors, worse_than: 1.1, floor: 0.1%, objective: 1%, min_requests: 500}

The objective is a test of its own, with its own share of the budget; it is what can judge at 100 percent.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from delivery.gates.against import against
from delivery.gates.comparing import ComparingGate, Settings
from delivery.gates.gate import Gate
from delivery.gates.measure import What
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, Micros
from delivery.model.plan import GateSpec
from delivery.model.verdict import Baseline

BLOCKS = True
COMPARES = True


class Measure(StrEnum):
    HTTP_ERRORS = "http_errors"


def parse(fields: Fields) -> Mapping[str, object]:
    """Reads `ratio` (what is measured), `objective`, and what every comparison has."""
    return {
        "measure": fields.choice("ratio", Measure).value,
        "objective": fields.share("objective", None, low=1e-6, high=0.5),
        **comparison(fields, warm_up=Micros(0)),
    }


def comparison(fields: Fields, warm_up: Micros) -> Mapping[str, object]:
    """Reads what every comparison has: `worse_than`, `no_worse_than`, `floor`, `min_requests`, `dispersion`, `warm_up`.

    Beside a copy of stable that is as cold as the candidate nothing has to be forgiven: `warm_up` is 0 there, unless
    the file says otherwise. A `no_worse_than` below 1.3 could never be shown: the nearest alternative is 1.5 times
    better than it.
    """
    if fields.choice("baseline", Baseline, Baseline.STABLE) is Baseline.FRESH:
        warm_up = Micros(0)
    return {
        "worse_than": fields.number("worse_than", 1.1, low=1.0, high=100.0),
        "no_worse_than": fields.number("no_worse_than", None, low=1.3, high=100.0),
        "floor": fields.share("floor", 0.001, low=1e-6, high=0.5),
        "min_requests": fields.whole("min_requests", 50),
        "dispersion": fields.number("dispersion", None, low=1.0, high=100.0),
        "warm_up": fields.duration("warm_up", warm_up, high=HOUR),
    }


def settings(params: Mapping[str, Any], what: tuple[What, ...], *, judges_cold: bool) -> Settings:
    """Parameters as `parse` left them; plans of older versions lack the newer ones."""
    return Settings(
        what=what,
        worse_than=params["worse_than"],
        floor=params["floor"],
        objective=params.get("objective"),
        no_worse_than=params["no_worse_than"],
        min_requests=params["min_requests"],
        dispersion=params["dispersion"],
        warm_up=params.get("warm_up", 0),
        judges_cold=judges_cold,
    )


def build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    return against(spec, ComparingGate(spec, settings(spec.params, (None,), judges_cold=True), alpha, stages))


def at_full(spec: GateSpec) -> bool:
    """Only an objective, or stable as it was, can judge a candidate that has nothing beside it."""
    return spec.params["objective"] is not None or spec.baseline is Baseline.PREVIOUS
