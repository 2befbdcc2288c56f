"""Raw counters, as a metrics provider tells them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from delivery.model.ids import Micros


@dataclass(frozen=True, slots=True)
class Series:
    """Cumulative counters of one source (a proxy, a pod). `epoch` changes when it restarted from 0.

    `slow` has, for each bucket bound in milliseconds, the requests slower than it, cumulative too, and so are `rates`:
    name, events, and what they are counted of. `gauges` are levels, as they are now. `held`: it could not be read now,
    and this is what it said last, nobody knows when.
    """

    requests: int
    errors: int
    slow: tuple[tuple[int, int], ...] = ()
    epoch: str = ""
    rates: tuple[tuple[str, int, int], ...] | None = None
    gauges: tuple[tuple[str, float], ...] | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """All series of a subject at `at` (the metrics server's clock). No series: nothing was ever counted, which is 0.

    `age`: how much older the oldest of the counters is than the moment in which it was asked for; one that is `held`
    does not count here.
    `lacks` has the measures of the service's own that could not be read, each with the reason.
    """

    at: Micros
    series: Mapping[str, Series]
    age: Micros = Micros(0)
    lacks: Mapping[str, str] = field(default_factory=dict)


class Why(StrEnum):
    """Why something could not be read, for programs."""

    NOT_SCRAPED = "not_scraped"  # nothing that counts is there
    NO_SERIES = "no_series"  # a query gives nothing
    SEVERAL = "several"  # one source is there more than once
    STALE = "stale"
    PARTIAL = "partial"
    NOT_A_COUNT = "not_a_count"
    TOO_MANY = "too_many"  # more series than the budget allows
    REFUSED = "refused"  # by the server: us, or the query
    RESTING = "resting"  # the server failed again and again and is left alone for a while
    UNAVAILABLE = "unavailable"
    UNPLACED = "unplaced"  # nobody says where it is
    RESTARTED = "restarted"  # what counts began anew in between
    EARLY = "early"  # counters from before the stage was confirmed


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a subject could not be read: a code for programs, and the cause for people, in the server's words."""

    why: Why
    text: str
