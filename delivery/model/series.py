"""Raw counters, as a metrics provider tells them."""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.model.ids import Micros


@dataclass(frozen=True, slots=True)
class Series:
    """Cumulative counters of one source (a proxy, a pod). `epoch` changes when it restarted from 0.

    `slow` has, for each bucket bound in milliseconds, the requests slower than it, cumulative too, and so are `rates`:
    name, events, and what they are counted of. `gauges` are levels, as they are now.
    """

    requests: int
    errors: int
    slow: tuple[tuple[int, int], ...] = ()
    epoch: str = ""
    rates: tuple[tuple[str, int, int], ...] | None = None
    gauges: tuple[tuple[str, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """All series of a subject at `at` (the metrics server's clock). No series: nothing was ever counted, which is 0."""

    at: Micros
    series: Mapping[str, Series]
