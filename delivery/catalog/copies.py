"""Gates that compare with a copy of stable in a cluster where none can be made: told before a release waits for it."""

from collections.abc import Iterator, Mapping

from delivery.catalog.workloads import Runs
from delivery.model.mistake import Mistake
from delivery.model.service import Service
from delivery.model.verdict import Baseline


def unmade(service: Service, clusters: Mapping[str, Runs]) -> Iterator[Mistake]:
    """A mistake for each such gate and cluster. Clusters not named: anything goes."""
    for gate in service.gates:
        for cluster in service.clusters if gate.baseline is Baseline.FRESH else ():
            if cluster in clusters and not clusters[cluster].makes:
                problem = f"is fresh, and only git is written for {cluster}: nobody could start a copy of stable there"
                expected = "stable, with a warm_up for what a cold candidate does, or previous"
                yield Mistake(f"gates.{gate.id}.baseline", None, problem, expected)
