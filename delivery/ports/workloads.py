"""Port: what runs. Implemented by adapters/workloads."""

from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.version import Endpoint, VersionRef


@dataclass(frozen=True, slots=True)
class Running:
    """`ready` only if it answers. `failing` says why waiting will not help; `looked_for` what was looked for.

    `endpoints` are addresses of instances, or of one Service before them.
    """

    ready: bool
    endpoints: tuple[Endpoint, ...] = ()
    failing: str | None = None
    looked_for: str = ""


class Workloads(Protocol):
    """Every call is bounded in time and returns the state at once: none waits for readiness. Raises Unavailable."""

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        """Starts the version where it does not run and is ours to start. Idempotent."""

    def look(self, target: TargetId, workload: Workload, version: VersionRef) -> Running:
        """As ensure, but starts nothing."""

    def retire(self, target: TargetId, workload: Workload, version: VersionRef) -> None:
        """Lets it end its requests, then stops it. Idempotent."""
