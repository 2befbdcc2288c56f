"""What a comparing gate compares with, as its spec says."""

from delivery.gates.fresh import AgainstFresh
from delivery.gates.gate import Gate
from delivery.gates.previous import AgainstPrevious
from delivery.model.plan import GateSpec
from delivery.model.verdict import Baseline


def against(spec: GateSpec, gate: Gate) -> Gate:
    """The gate against the baseline that its spec names."""
    match spec.baseline:
        case Baseline.PREVIOUS:
            return AgainstPrevious(gate, spec)
        case Baseline.FRESH:
            return AgainstFresh(gate)
    return gate
