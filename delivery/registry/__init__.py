"""What there is to choose from, by name. Adding something is one file, one line here, and a recorded sample.

An unknown name is an error, never a fallback. Libraries of vendors are imported when a name is chosen, not before.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from delivery.gates import conversion, gauge, latency, ratio, threshold
from delivery.gates.gate import Kind
from delivery.model.fields import Fields
from delivery.model.service import Strategy
from delivery.registry.clusters import DEPLOYERS, JOBS, MESHES, RUNS, WORKLOADS
from delivery.registry.dialects import SOURCES, Batch, Source, Vouched
from delivery.registry.metrics import METRICS, measured, past
from delivery.registry.outward import CHATS, SLACK_API, SUBSCRIBERS
from delivery.registry.surroundings import Surroundings
from delivery.strategies import ab_test, blue_green, canary, dark_launch, fault_test

__all__ = [
    "CHATS", "DEPLOYERS", "GATES", "JOBS", "MESHES", "METRICS", "RUNS", "SLACK_API", "SOURCES", "STRATEGIES",
    "SUBSCRIBERS", "WORKLOADS", "Batch", "Source", "Surroundings", "UnknownName", "Vouched", "choose", "measured",
    "past",
]  # fmt: skip

T = TypeVar("T")


class UnknownName(ValueError):
    """A configuration names something that is not here, or gives it arguments that it does not take."""


STRATEGIES: Mapping[str, Callable[[Fields], Strategy]] = {
    "canary": canary.parse,
    "blue_green": blue_green.parse,
    "ab_test": ab_test.parse,
    "dark_launch": dark_launch.parse,
    "fault_test": fault_test.parse,
}
GATES: Mapping[str, Kind] = {
    "ratio": ratio,
    "latency": latency,
    "threshold": threshold,
    "gauge": gauge,
    "conversion": conversion,
}


def choose(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of this name. Raises UnknownName with the names that there are."""
    if name not in table:
        raise UnknownName(f"there is no {what} named {name!r}; there is: {', '.join(sorted(table))}")
    return table[name]
