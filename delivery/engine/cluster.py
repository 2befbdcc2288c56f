"""What the engine holds of one cluster: its adapters, behind their ports."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.ports.deployer import Deployer
from delivery.ports.hooks import Hooks
from delivery.ports.mesh import Mesh
from delivery.ports.metrics import Metrics
from delivery.ports.workloads import Workloads


@dataclass(frozen=True, slots=True)
class Cluster:
    """`deployers`: who else puts versions there, by the names of the server's configuration. `hooks` has what runs each
    kind of hook that service files may name here.
    """

    name: str
    mesh: Mesh
    workloads: Workloads
    metrics: Metrics
    deployers: Mapping[str, Deployer] = field(default_factory=dict)
    hooks: Mapping[str, Hooks] = field(default_factory=dict)
