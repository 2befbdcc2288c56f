"""Inputs of the machine: what people asked for, and what the world answered."""

from dataclasses import dataclass

from delivery.model.event import Level
from delivery.model.hold import HoldKind
from delivery.model.hook import Step
from delivery.model.ids import HookId, Micros, Principal, ReleaseId
from delivery.model.verdict import Judgement
from delivery.model.version import VersionRef


@dataclass(frozen=True, slots=True)
class Signal:
    pass


@dataclass(frozen=True, slots=True)
class PersonSignal(Signal):
    """`groups` are the approver groups that the person is in; `admin` may lift holds that others may not.

    `via` is the way in (api, cli, page, slack). `dseq` is what the person saw live, None to act on whatever is live.
    """

    actor: Principal
    reason: str = ""
    via: str = "api"
    groups: tuple[str, ...] = ()
    admin: bool = False
    dseq: int | None = None


@dataclass(frozen=True, slots=True)
class Approve(PersonSignal):
    pass


@dataclass(frozen=True, slots=True)
class Reject(PersonSignal):
    pass


@dataclass(frozen=True, slots=True)
class Pause(PersonSignal):
    pass


@dataclass(frozen=True, slots=True)
class Resume(PersonSignal):
    """Lifts exactly `holds`; none named: the pause."""

    holds: tuple[HoldKind, ...] = (HoldKind.PAUSE,)


@dataclass(frozen=True, slots=True)
class Abort(PersonSignal):
    pass


@dataclass(frozen=True, slots=True)
class PromoteNow(PersonSignal):
    """Skips every remaining stage."""


@dataclass(frozen=True, slots=True)
class TurnCame(Signal):
    """`stable` is the target's stable version now, None where nothing is stable yet."""

    stable: VersionRef | None


@dataclass(frozen=True, slots=True)
class StableIs(Signal):
    """What the owners' own workload runs now; None where nothing runs there."""

    version: VersionRef | None


@dataclass(frozen=True, slots=True)
class StableMissing(Signal):
    """The owners' own workload is not there, or cannot be released this way: `looked_for` says what was looked for."""

    looked_for: str


@dataclass(frozen=True, slots=True)
class WorkloadReady(Signal):
    """The candidate is ready for `share` percent of the traffic and its backend is confirmed at the proxies."""

    share: int = 100


@dataclass(frozen=True, slots=True)
class WorkloadMissing(Signal):
    """Nothing there yet, or not ready yet. `looked_for` is what a person would look for.

    `refused`: the workload is ready, and the mesh will not take it; this is why, in its own words.
    """

    looked_for: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadFailing(Signal):
    """It will not become ready by waiting (it crashed, its command is unknown)."""

    detail: str


@dataclass(frozen=True, slots=True)
class BaselineReady(Signal):
    """The copy of stable is ready for `share` percent of the traffic and its backend is confirmed at the proxies."""

    share: int


@dataclass(frozen=True, slots=True)
class BaselineMissing(Signal):
    """It is not ready for what it is needed for. `answers`: some of it is; `failing`: waiting will not help."""

    looked_for: str
    answers: bool = False
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed(Signal):
    dseq: int
    level: Level
    proxies: int = 0


@dataclass(frozen=True, slots=True)
class Unconfirmed(Signal):
    """Sent once, when the plan's `grace` is over."""

    dseq: int
    stragglers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nacked(Signal):
    """A proxy, or the check before the write, refused what we wrote; `text` is in its own words."""

    dseq: int
    text: str


@dataclass(frozen=True, slots=True)
class MeshDown(Signal):
    """The mesh could not be read or written."""

    detail: str


@dataclass(frozen=True, slots=True)
class MeshUp(Signal):
    pass


@dataclass(frozen=True, slots=True)
class Measured(Signal):
    """One tick. `baked` and `requests` are sums since the stage was confirmed; `tick` is its number.

    A gate without a judgement says CONTINUE. One whose verdict is the one that is known may bring its older numbers;
    where the tick may end the stage, all bring those of now.
    `split` says how the requests were divided, where that is not as configured; `unread` why this tick is not whole.
    """

    dseq: int
    tick: int
    baked: Micros
    requests: int
    judgements: tuple[Judgement, ...]
    first_tick: int
    evidence: str
    split: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Drifted(Signal):
    """The live route was not what we had written. `corrections` counts them in the last minute."""

    detail: str
    corrections: int


@dataclass(frozen=True, slots=True)
class AlertFired(Signal):
    name: str
    started: Micros


@dataclass(frozen=True, slots=True)
class SupersededBy(Signal):
    release: ReleaseId


@dataclass(frozen=True, slots=True)
class StableAgain(Signal):
    """The stable identity was asked for again while this release runs: straight back."""

    actor: Principal


@dataclass(frozen=True, slots=True)
class StableUnready(Signal):
    detail: str


@dataclass(frozen=True, slots=True)
class StableReady(Signal):
    pass


@dataclass(frozen=True, slots=True)
class HomeReady(Signal):
    """All of the owners' own workload runs this version and is ready."""

    version: VersionRef


@dataclass(frozen=True, slots=True)
class HookAnswered(Signal):
    """How an attempt of a hook stands; `ok` is None while it has not ended, or that is not known: `detail` says why."""

    hook: HookId
    step: Step
    attempt: int
    ok: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HistoryLost(Signal):
    detail: str
    live_weight: int


@dataclass(frozen=True, slots=True)
class Due(Signal):
    """Time passed; look at deadlines, freezes and everything else that needs no other input."""


SIGNALS: tuple[type[Signal], ...] = (
    Approve, Reject, Pause, Resume, Abort, PromoteNow, TurnCame, WorkloadReady, WorkloadMissing, WorkloadFailing,
    Confirmed, Unconfirmed, Nacked, MeshDown, MeshUp, Measured, Drifted, AlertFired, SupersededBy, StableAgain,
    StableUnready, StableReady, HistoryLost, Due, StableIs, StableMissing, HomeReady, HookAnswered,
    BaselineReady, BaselineMissing,
)  # fmt: skip
