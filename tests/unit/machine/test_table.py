"""Every pair of phase and signal, against a second table that was written from the design, not from the code."""

from collections.abc import Callable

import pytest

from delivery.machine.evolve import evolve
from delivery.machine.refusal import Refusal
from delivery.machine.step import step
from delivery.machine.table import TABLE
from delivery.model import signal as s
from delivery.model.context import Context
from delivery.model.event import Level, Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookRun, Step, When
from delivery.model.ids import HOUR, HookId, Micros, ReleaseId
from delivery.model.place import Mode, Promotion
from delivery.model.signal import SIGNALS, Signal
from delivery.model.traffic import Traffic
from delivery.model.verdict import Verdict
from delivery.testing.builders import (
    BOB,
    NOW,
    STABLE,
    Story,
    a_hook,
    a_plan,
    a_stage,
    a_story,
    a_story_in,
    a_tick,
    an_approval,
)

GRID = """
signal           queued      preparing       shifting      baking        promoting     rolling_back  closed
Approve          !           +               +             +             !             !             !
Reject           !           rolling_back    rolling_back  rolling_back  !             !             !
Pause            +           +               +             +             !             !             !
Resume           +           +               +             +             promoted      rolled_back   !
Abort            cancelled   rolling_back    rolling_back  rolling_back  rolling_back  !             !
PromoteNow       !           +               +             promoting     !             !             !
TurnCame         preparing   =               =             =             =             =             =
WorkloadReady    =           shifting        =             =             =             =             =
WorkloadMissing  =           =               +             +             =             =             =
WorkloadFailing  =           rolling_back    rolling_back  rolling_back  rolling_back  =             =
Confirmed        =           =               baking        =             promoted      rolled_back   =
Unconfirmed      =           =               +             =             +             +             =
Nacked           =           rolling_back    rolling_back  +             rolling_back  +             =
MeshDown         =           +               +             +             +             +             =
MeshUp           =           +               +             +             +             +             =
Measured         =           =               =             rolling_back  =             =             =
Drifted          =           +               +             +             +             +             =
AlertFired       =           =               rolling_back  rolling_back  rolling_back  =             =
SupersededBy     superseded  rolling_back    rolling_back  rolling_back  =             =             =
StableAgain      cancelled   rolling_back    rolling_back  rolling_back  rolling_back  =             =
StableUnready    =           +               +             +             +             +             =
StableReady      =           +               +             +             +             +             =
StableIs         =           +               =             =             =             =             =
StableMissing    =           rolling_back    =             =             =             =             =
HomeReady        =           =               =             =             +             +             =
BaselineReady    =           shifting        +             +             =             =             =
BaselineMissing  =           +               +             shifting      =             =             =
HookAnswered     =           +               =             +             promoted      rolled_back   =
HistoryLost      =           +               +             +             +             +             =
Due              =           =               =             =             =             =             =
"""
"""`=` changes nothing, `+` is recorded and the phase stays, `!` is refused; else the phase that it leads to."""

UNSEEN = (Phase.QUEUED, Phase.PREPARING)
UPHILL = (Phase.PREPARING, Phase.SHIFTING, Phase.BAKING)
CLOSED = [phase for phase in Phase if phase.closed]


def guarded(phase: Phase) -> Story:
    """Somebody is asked before the next stage."""
    if phase is Phase.PREPARING:
        return a_story_in(phase, plan=a_plan(a_stage(5, approval=an_approval()), a_stage(50)))
    if phase in (Phase.SHIFTING, Phase.BAKING):
        return a_story_in(phase, plan=a_plan(a_stage(5), a_stage(50, approval=an_approval())))
    return a_story_in(phase)


def held(phase: Phase) -> Story:
    """Paused where it can be, else with proxies that do not confirm."""
    story = a_story_in(phase)
    if phase in (Phase.QUEUED, *UPHILL):
        return story.tell(s.Pause(BOB))
    return story.tell(s.Unconfirmed(story.release.dseq, ("gateway-1",)))


def failing(phase: Phase) -> Story:
    return a_story_in(phase).tell(s.MeshDown("connection refused"))


def unready(phase: Phase) -> Story:
    """Stable has no ready instance; where a revert has begun, that became known afterwards."""
    return a_story_in(phase).tell(s.StableUnready("0 of 3 pods"))


def plain(phase: Phase) -> Story:
    return a_story_in(phase)


def looking(phase: Phase) -> Story:
    """Its owners keep a workload of their own, and what that runs is not known yet."""
    return a_story_in(phase, plan=a_plan(mode=Mode.CLONE, home=Promotion.PATCH)) if phase in UNSEEN else plain(phase)


def going_home(phase: Phase) -> Story:
    """What is at home goes over to the candidate, and back where the release does."""
    if phase not in (Phase.PROMOTING, Phase.ROLLING_BACK):
        return plain(phase)
    story = a_story(plan=a_plan(mode=Mode.CLONE, home=Promotion.PATCH)).tell(s.StableIs(STABLE), s.WorkloadReady())
    story.confirm().tell(s.PromoteNow(BOB)).confirm()
    return story if phase is Phase.PROMOTING else story.tell(s.Abort(BOB))


def watched(phase: Phase) -> Story:
    return a_story_in(phase) if phase.closed else a_story_in(phase, plan=a_plan(abort_on=("CheckoutErrors",)))


COMPARED = a_plan(a_stage(5, traffic=Traffic(5, baseline=5)), a_stage(50, traffic=Traffic(50, baseline=25)))


def compared(phase: Phase) -> Story:
    """The candidate is compared with a copy of stable, where it can be."""
    if phase not in UPHILL:
        return plain(phase)
    story = a_story(plan=COMPARED).tell(s.WorkloadReady())
    if phase is not Phase.PREPARING:
        story.tell(s.BaselineReady(5))
    return story.confirm() if phase is Phase.BAKING else story


HOOKED = a_plan(
    a_stage(5, hooks=(HookId("smoke"),)),
    hooks=(a_hook("smoke"), a_hook("after", When.PROMOTED, When.REVERTED)),
)


def hooked(phase: Phase) -> Story:
    """A hook runs, where one can."""
    if phase.closed or phase is Phase.QUEUED:
        return plain(phase)
    story = a_story(plan=HOOKED)
    if phase is Phase.PREPARING:
        return story
    story.answer().tell(s.WorkloadReady())
    if phase is not Phase.SHIFTING:
        story.confirm()
    if phase is Phase.PROMOTING:
        story.tell(s.PromoteNow(BOB)).confirm()
    return story.tell(s.Abort(BOB)).confirm() if phase is Phase.ROLLING_BACK else story


def _hook(story: Story) -> Signal:
    run = story.release.hooks[-1] if story.release.hooks else HookRun(HookId("smoke"), Step(When.START), 1, NOW)
    return s.HookAnswered(run.hook, run.step, run.attempt, ok=True)


def _resume(story: Story) -> Signal:
    stragglers = story.release.held(HoldKind.STRAGGLERS)
    return s.Resume(BOB, holds=(HoldKind.STRAGGLERS if stragglers else HoldKind.PAUSE,))


def _home(story: Story) -> Signal:
    return s.HomeReady(STABLE if story.release.phase is Phase.ROLLING_BACK else story.release.candidate)


CASES: dict[str, tuple[Callable[[Phase], Story], Callable[[Story], Signal]]] = {
    "Approve": (guarded, lambda story: s.Approve(BOB)),
    "Reject": (guarded, lambda story: s.Reject(BOB)),
    "Pause": (plain, lambda story: s.Pause(BOB)),
    "Resume": (held, _resume),
    "Abort": (plain, lambda story: s.Abort(BOB)),
    "PromoteNow": (plain, lambda story: s.PromoteNow(BOB)),
    "TurnCame": (plain, lambda story: s.TurnCame(STABLE)),
    "WorkloadReady": (plain, lambda story: s.WorkloadReady()),
    "WorkloadMissing": (plain, lambda story: s.WorkloadMissing("deployment checkout-1.4.2")),
    "WorkloadFailing": (plain, lambda story: s.WorkloadFailing("exit code 1")),
    "Confirmed": (plain, lambda story: s.Confirmed(story.release.dseq, Level.ACKED, 2)),
    "Unconfirmed": (plain, lambda story: s.Unconfirmed(story.release.dseq, ("gateway-1",))),
    "Nacked": (plain, lambda story: s.Nacked(story.release.dseq, "unknown cluster")),
    "MeshDown": (plain, lambda story: s.MeshDown("connection refused")),
    "MeshUp": (failing, lambda story: s.MeshUp()),
    "Measured": (plain, lambda story: a_tick(a_story_in(Phase.BAKING).release, Verdict.FAIL, dseq=story.release.dseq)),
    "Drifted": (plain, lambda story: s.Drifted("weight 50", 1)),
    "AlertFired": (watched, lambda story: s.AlertFired("CheckoutErrors", Micros(NOW + HOUR))),
    "SupersededBy": (plain, lambda story: s.SupersededBy(ReleaseId("rel_2"))),
    "StableAgain": (plain, lambda story: s.StableAgain(BOB)),
    "StableUnready": (plain, lambda story: s.StableUnready("0 of 3 pods")),
    "StableReady": (unready, lambda story: s.StableReady()),
    "StableIs": (looking, lambda story: s.StableIs(STABLE)),
    "StableMissing": (looking, lambda story: s.StableMissing("Deployment checkout")),
    "HomeReady": (going_home, _home),
    "BaselineReady": (compared, lambda story: s.BaselineReady(25)),
    "BaselineMissing": (compared, lambda story: s.BaselineMissing("0 of 1 pods", failing=True)),
    "HookAnswered": (hooked, _hook),
    "HistoryLost": (plain, lambda story: s.HistoryLost("the stamp of event 12", 50)),
    "Due": (plain, lambda story: s.Due()),
}


def _pairs():
    title, *rows = (line.split() for line in GRID.strip().splitlines())
    for name, *cells in rows:
        for column, cell in zip(title[1:], cells, strict=True):
            for phase in CLOSED if column == "closed" else (Phase(column),):
                yield pytest.param(phase, name, cell, id=f"{phase.value}-{name}")


def test_the_table_has_every_pair():
    assert set(TABLE) == {(phase, signal) for phase in Phase for signal in SIGNALS}
    assert {kind.__name__ for kind in SIGNALS} == set(CASES)


@pytest.mark.parametrize(("phase", "name", "expected"), list(_pairs()))
def test_a_pair(phase, name, expected):
    prepare, signal_for = CASES[name]
    story = prepare(phase)
    assert story.release.phase is phase
    assert _outcome(story, signal_for(story)) == expected


def _outcome(story: Story, signal: Signal) -> str:
    context = Context(Micros(story.context.now + 1))
    before = story.release
    try:
        after, events = step(before, signal, context)
    except Refusal as refusal:
        return "!" if refusal.kind == "conflict" and refusal.text else f"{refusal.kind}: {refusal.text}"
    folded = before
    for event in events:
        folded = evolve(folded, event)
    assert folded == after
    if after.phase is not before.phase:
        return after.phase.value
    return "+" if events else "="
