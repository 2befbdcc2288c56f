"""What a gate says, and the measurements that it says it of."""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.ids import GateId, Micros


class Verdict(StrEnum):
    PASS = "pass"  # shown to be no worse: ends the bake early
    FAIL = "fail"  # shown to be worse: reverts at once
    CONTINUE = "continue"  # neither yet
    INCONCLUSIVE = "inconclusive"  # neither, and the stage's deadline is over
    NO_DATA = "no_data"  # nothing to judge: holds, never passes, never reverts by itself


class Baseline(StrEnum):
    """What a candidate is compared with."""

    STABLE = "stable"  # beside it, at the same time
    PREVIOUS = "previous"  # as it was before the release: confounded by time
    FRESH = "fresh"  # a copy of stable that is as young as the candidate, at the same time


@dataclass(frozen=True, slots=True)
class Side:
    """Bad of total requests, summed over the ticks that the gate has seen."""

    bad: int
    total: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the numbers that a person needs to believe it. `ratio` is candidate's bad rate over stable's."""

    gate: GateId
    verdict: Verdict
    candidate: Side
    stable: Side
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    blocking: bool = True
    detail: str = ""  # what the gate alone knows, as a clause: "90.1 % of 812 in 1m, at least 99 % wanted"
    lasted: Micros | None = None  # measured time from the release's first tick to the fail
    baseline: Baseline | None = None  # None: stable beside it


@dataclass(frozen=True, slots=True)
class Counts:
    """What one version did in one tick. `slow` has, for each bucket bound in milliseconds, the requests slower than it.

    A request is counted once, when it ended; `errors` are answers of class 5xx, proxy-made ones too. `sources` has, in
    a tick with errors, the sources that had most of them, each with its requests and errors. `rates` are measures of
    the service's own: name, events, and what they are counted of (users who bought, users). `gauges`: name and level.
    `lacks` has the measures that could not be read, each with the reason.
    """

    requests: int
    errors: int
    slow: tuple[tuple[int, int], ...] = ()
    sources: tuple[tuple[str, int, int], ...] | None = None
    rates: tuple[tuple[str, int, int], ...] | None = None
    gauges: tuple[tuple[str, float], ...] | None = None
    lacks: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class UnreadSide:
    """A side of a tick that could not be read: why, as a code (`delivery.model.series.Why`) and for people."""

    side: str
    why: str
    text: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What stable did in a tick that ended at `end`, before the one that is compared with it."""

    counts: Counts
    end: Micros


@dataclass(frozen=True, slots=True)
class Tick:
    """One look at both versions over the same window. `number` has no gaps within a release; `dseq` is the traffic.

    `complete` is False where a side could not be read, or where a proxy restarted inside the window; `unread` says
    why. `stable_down` is True where stable had no ready instance, so that its errors say nothing about the candidate.
    `earlier` is there where a gate of the stage compares with stable as it was before, `copy` while a copy of stable
    has a share of the requests, to be compared with.
    """

    number: int
    stage: int
    dseq: int
    start: Micros
    end: Micros
    candidate: Counts
    stable: Counts
    complete: bool = True
    stable_down: bool | None = None
    unread: tuple[UnreadSide, ...] | None = None
    earlier: Earlier | None = None
    copy: Counts | None = None

    @property
    def others(self) -> int:
        """Requests that the candidate did not get."""
        return self.stable.requests + (self.copy.requests if self.copy is not None else 0)
