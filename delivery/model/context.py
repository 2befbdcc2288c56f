"""What a decision may know besides the release: the time, and what forbids raises from outside."""

from dataclasses import dataclass, field

from delivery.model.ids import Micros, Principal, ReleaseId


@dataclass(frozen=True, slots=True)
class Freeze:
    """A window in which nothing may rise: open from `start` to `end`, named so that a person can override it."""

    name: str
    start: Micros
    end: Micros


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody's "no raises anywhere" that covers this target. `by` None: the reason tells all that is known."""

    by: Principal | None
    reason: str
    since: Micros


@dataclass(frozen=True, slots=True)
class Context:
    """`freeze` is the one that is open now; `freeze_edge` is when the next one opens or this one closes, if known.

    `fresh_ids` are ids for releases that the decision may create, used in order.
    """

    now: Micros
    freeze: Freeze | None = None
    freeze_edge: Micros | None = None
    stop: Stop | None = None
    fresh_ids: tuple[ReleaseId, ...] = field(default=())
