"""Where a workload may be touched: in namespaces that opted in, and in no other."""

from collections.abc import Collection

from delivery.model.place import Place
from delivery.model.service import Workload
from delivery.ports.errors import Refused


def place_of(workload: Workload, namespaces: Collection[str]) -> Place:
    """The workload's place. Raises Refused where it has none, or its namespace has not opted in."""
    if workload.place is None:
        raise Refused(f"the service file does not say where {workload.name} lives: namespace, workload.deployment")
    if workload.place.namespace not in namespaces:
        known = ", ".join(sorted(namespaces)) or "none"
        raise Refused(
            f"namespace {workload.place.namespace} has not opted in: the server's configuration has {known} as "
            f"`namespaces` of this cluster"
        )
    return workload.place
