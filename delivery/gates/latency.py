"""Gate `latency`: the share of requests slower than a bound, candidate against stable (F4 of docs/gates.md).

    latency: {latency: http_duration, above: [250ms, 500ms], worse_than: 1.2}

Never a quantile: where one lies on the edge of a bucket it fails healthy releases and misses bad ones.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from delivery.gates import ratio
from delivery.gates.against import against
from delivery.gates.comparing import ComparingGate
from delivery.gates.gate import Gate
from delivery.model import scalars
from delivery.model.fields import Fields
from delivery.model.ids import MINUTE, Micros
from delivery.model.plan import GateSpec
from delivery.model.verdict import Baseline

BLOCKS = True
COMPARES = True
MILLISECOND = Micros(1000)
WARM_UP = Micros(3 * MINUTE)
"""What nobody is judged by, unless the file says otherwise: code that compiles as it runs and empty caches are slow."""


class Measure(StrEnum):
    HTTP_DURATION = "http_duration"


def parse(fields: Fields) -> Mapping[str, object]:
    """Reads `latency` (what is measured), `above` (one bound or several), and what every comparison has."""
    bounds = fields.one_or_many("above", scalars.duration(MILLISECOND, MINUTE))
    return {
        "measure": fields.choice("latency", Measure).value,
        "above": [bound // MILLISECOND for bound in dict.fromkeys(bounds)],
        **ratio.comparison(fields, WARM_UP),
    }


def build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    params: Mapping[str, Any] = spec.params
    settings = ratio.settings(params, tuple(params["above"]), judges_cold=False)
    return against(spec, ComparingGate(spec, settings, alpha, stages))


def at_full(spec: GateSpec) -> bool:
    """Without stable there is nothing to compare with, but stable as it was."""
    return spec.baseline is Baseline.PREVIOUS
