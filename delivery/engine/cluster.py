"""What the engine holds of one cluster: its adapters, behind their ports."""

from dataclasses import dataclass

from delivery.ports.mesh import Mesh
from delivery.ports.metrics import Metrics
from delivery.ports.workloads import Workloads


@dataclass(frozen=True, slots=True)
class Cluster:
    name: str
    mesh: Mesh
    workloads: Workloads
    metrics: Metrics
