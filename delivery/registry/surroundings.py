"""What an adapter may need of where it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from delivery.model.ids import TargetId
from delivery.model.place import Place
from delivery.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter may need besides its own arguments. `processes` are commands and environments by name.

    `locate` says where a target lives, by its service file of now; it raises Refused where the file does not say.
    `namespaces` of the cluster have opted in: nothing is touched in any other.
    """

    cluster: str
    clock: Clock
    locate: Callable[[TargetId], Place]
    processes: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()
