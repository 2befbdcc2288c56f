"""The engine over its parts: production, tests and the simulation build the same."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from delivery import registry
from delivery.engine.drain import Drain
from delivery.engine.fence import Fence
from delivery.engine.inbox import Inbox
from delivery.engine.measure import Measurer
from delivery.engine.observe import Observer
from delivery.engine.parts import Parts
from delivery.engine.performer import Performer
from delivery.gates.gate import Gate
from delivery.model.plan import GateSpec
from delivery.registry import choose


@dataclass(frozen=True)
class Engine:
    """What steps releases, over any adapters: production, tests and the simulation build the same."""

    drain: Drain
    inbox: Inbox
    observer: Observer


def assemble(parts: Parts) -> Engine:
    """The engine over these parts."""
    owner = parts.ids.owner()
    performer = Performer(parts, Fence(parts.ledger, parts.clock, owner), Measurer(build_gate))
    observer = Observer(parts, owner)
    return Engine(Drain(parts, performer, observer, owner), Inbox(parts), observer)


def drains(parts: Parts) -> Mapping[str, Drain]:
    """A drain for each cluster, to be run side by side: one that does not answer holds up no other."""
    return {name: assemble(replace(parts, clusters={name: parts.clusters[name]})).drain for name in parts.clusters}


def build_gate(spec: GateSpec, alpha: float, stages: int) -> Gate:
    """A gate of a plan."""
    return choose(registry.GATES, spec.kind, "gate").build(spec, alpha, stages)
