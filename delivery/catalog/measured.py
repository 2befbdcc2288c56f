"""Gates whose measures no cluster's metrics have: told before a release waits for data that never comes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from delivery.model.mistake import Mistake, one_of, unknown
from delivery.model.plan import GateSpec
from delivery.model.service import Service
from delivery.model.verdict import Baseline


@dataclass(frozen=True, slots=True)
class Measured:
    """What a cluster's metrics measure beside requests, and the bounds of latency in milliseconds; None: not known.

    `mixed` are the measures by which stable and a copy of it are one; "" is the count of requests.
    """

    conversions: frozenset[str] = frozenset()
    gauges: frozenset[str] = frozenset()
    bounds: tuple[int, ...] | None = None
    mixed: frozenset[str] = frozenset()


def missing(service: Service, clusters: Mapping[str, Measured]) -> Iterator[Mistake]:
    """A mistake for each gate that one of the service's clusters cannot measure. Clusters not named: not known."""
    for gate in service.gates:
        for cluster in service.clusters:
            if cluster in clusters:
                yield from _missing(gate, cluster, clusters[cluster])


def _missing(gate: GateSpec, cluster: str, measured: Measured) -> Iterator[Mistake]:
    name = str(gate.params["measure"]) if gate.kind in ("conversion", "gauge") else ""
    known = measured.conversions if gate.kind == "conversion" else measured.gauges
    if name and name not in known:
        yield Mistake(f"gates.{gate.id}.{gate.kind}", None, *_unknown(name, gate.kind, cluster, known))
    if gate.baseline is Baseline.FRESH and name in measured.mixed:
        problem = f"is fresh, and {cluster}'s metrics do not tell a copy of stable from stable"
        expected = "stable, or metrics that are counted by backend or Deployment (docs/metrics.md)"
        yield Mistake(f"gates.{gate.id}.baseline", None, problem, expected)
    above = gate.params.get("above")
    wanted = above if isinstance(above, list | tuple) else [above]
    if measured.bounds is None:
        return
    lost = [bound for bound in wanted if isinstance(bound, int) and bound not in measured.bounds]
    if lost:
        problem = f"names {lost[0]}ms, for which {cluster}'s metrics have no bucket"
        yield Mistake(f"gates.{gate.id}.above", None, problem, one_of([f"{bound}ms" for bound in measured.bounds]))


def _unknown(name: str, kind: str, cluster: str, known: frozenset[str]) -> tuple[str, str]:
    """The problem, and what was expected."""
    where = f"clusters.{cluster}.metrics.measures of the server's configuration"
    if not known:
        return f"names {name}, and {cluster}'s metrics have no {kind} at all", f"one below {where}"
    return f"names {name}, which {cluster}'s metrics do not have: it {unknown(name, known)}", one_of(known)
