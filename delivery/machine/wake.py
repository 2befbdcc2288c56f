"""When a release must be looked at again, and what it waits for, in words."""

from collections.abc import Iterator
from dataclasses import dataclass

from delivery.machine import baseline, calling, deadlines, path, share
from delivery.machine.hooks import last
from delivery.machine.rules.holds import RISING
from delivery.machine.rules.hooks import BREATH
from delivery.model.context import Context
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookState
from delivery.model.ids import SECOND, Micros
from delivery.model.place import Promotion
from delivery.model.release import Home, Release

CONFIRM_POLL = Micros(250_000)
READY_POLL = SECOND
HOOK_POLL = Micros(2 * SECOND)
COPY_POLL = Micros(2 * SECOND)
"""A copy of stable that dies has users: they are to have stable again before the next tick."""


@dataclass(frozen=True, slots=True)
class Due:
    """`at` None: only an input changes anything, and `why` names it."""

    at: Micros | None
    why: str


def wake(release: Release, context: Context) -> Due:
    """The earliest of all that time alone will change. Every open release that is not queued has one."""
    if release.phase.closed:
        return Due(None, "nothing: it is over")
    if release.phase is Phase.QUEUED:
        return Due(None, "its turn: the release before it")
    return min(_dues(release, context), key=lambda due: (due.at or Micros(0), due.why))


def _dues(release: Release, context: Context) -> Iterator[Due]:
    yield from _looks(release, context.now)
    for hold in release.holds:
        if hold.until is not None:
            yield Due(hold.until, _ENDS.get(hold.kind, f"{hold.kind.value} has its limit"))
    if release.phase in RISING and context.freeze_edge is not None:
        yield Due(context.freeze_edge, "the freeze ends" if context.freeze else "a freeze begins")
    deadline = deadlines.end(release)
    if deadline is not None and deadline > context.now:
        yield Due(deadline, _ends(release))


def _ends(release: Release) -> str:
    if not release.ready:
        return "the candidate's time to appear ends"
    return "the time of stable's copy to appear ends" if baseline.awaited(release) else "the stage's deadline"


_ENDS = {
    HoldKind.APPROVAL: "the approval expires",
    HoldKind.FREEZE: "the freeze ends",
    HoldKind.DRIFT_STORM: "the route is quiet again",
}


def _looks(release: Release, now: Micros) -> Iterator[Due]:
    """What is asked again and again: the hook that runs, and but where that is all there is to wait for, the world."""
    hook = _hook(release, now)
    if hook is not None:
        yield hook
    if hook is None or release.phase is Phase.BAKING:
        yield _next_look(release, now)


def _hook(release: Release, now: Micros) -> Due | None:
    found = calling.owed(release)
    run = last(release, found[0].id, found[1]) if found is not None else None
    if found is None or run is None:
        return None
    if run.state is HookState.RUNNING:
        return Due(min(Micros(now + HOOK_POLL), Micros(run.begun + found[0].timeout)), f"hook {run.hook}")
    if run.state is HookState.AGAIN and not release.holds:
        return Due(Micros((run.ended or now) + BREATH), f"the next attempt of hook {run.hook}")
    return None


def _next_look(release: Release, now: Micros) -> Due:
    """The question that is asked again and again in this phase."""
    match release.phase:
        case Phase.PREPARING if path.unsure_of_stable(release):
            return Due(Micros(now + READY_POLL), "what its owners run now being found")
        case Phase.PREPARING:
            return Due(Micros(now + READY_POLL), _before_the_first(release))
        case Phase.BAKING:
            return _while_baking(release, now)
        case Phase.ROLLING_BACK if release.stay:
            return Due(Micros(now + READY_POLL), "stable being ready")
        case Phase.ROLLING_BACK if release.home is not None and release.confirmed == release.dseq:
            return Due(Micros(now + READY_POLL), "its owners' own workload running stable again")
        case Phase.PROMOTING if release.home is Home.BEGUN and release.confirmed == release.dseq:
            return Due(Micros(now + READY_POLL), _going_home(release))
    return Due(Micros(now + CONFIRM_POLL), "the proxies' confirmation")


def _while_baking(release: Release, now: Micros) -> Due:
    at = Micros(now + release.plan.tick)
    bake = release.plan.stages[release.stage].bake
    ends = release.passed < release.stage and at - release.confirmed_at >= bake
    if not ends and _grows(release):
        return Due(Micros(now + READY_POLL), f"the candidate being ready for {share.needed(release)} %")
    if baseline.needed(release) and release.plan.tick > COPY_POLL:
        return Due(Micros(now + COPY_POLL), "a look at the copy of stable")
    return Due(at, "the bake's end" if ends else "the next measurement")


def _before_the_first(release: Release) -> str:
    if baseline.awaited(release):
        return "the copy of stable being ready"
    waits = release.ready or path.awaits_first_hooks(release)
    return "a look whether it may go on" if waits else "the candidate being ready"


def _grows(release: Release) -> bool:
    """Whether only the candidate's size keeps the next raise away."""
    return release.share is not None and share.needed(release) > release.share


def _going_home(release: Release) -> str:
    if release.plan.home is Promotion.NONE:
        return f"somebody to have its owners' own workload run {release.candidate.version}"
    return f"its owners' own workload running {release.candidate.version}"
