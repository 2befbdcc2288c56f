"""Who is told what: one message for each event that people care for. Derived, so that it is made once however often."""

import re

from delivery.machine.holds import HOLDS, OWN_LIMIT
from delivery.model import event as events
from delivery.model.event import CauseKind, Event, Phase
from delivery.model.hold import Hold
from delivery.model.message import Message
from delivery.model.place import Mode, Promotion
from delivery.model.release import Release
from delivery.model.verdict import Verdict

QUIET = (
    events.CandidateReady, events.StagePassed, events.StableFound, events.HookBegun, events.BaselineReady,
    events.BaselineLost,
)  # fmt: skip
"""Told by what follows them: the next stage, or the hold that keeps it away."""
WANTED = frozenset(
    {
        CauseKind.ABORTED,
        CauseKind.REJECTED,
        CauseKind.WITHDRAWN,
        CauseKind.SUPERSEDED,
        CauseKind.STABLE_AGAIN,
    }
)
"""Ways back that somebody asked for: they are told, nobody is called."""


def announce(before: Release | None, event: Event, after: Release) -> tuple[Message, ...]:
    """The messages that an event makes. `call` where somebody is needed now, not only to be informed."""
    if isinstance(event, QUIET) or _small(before, event, after):
        return ()
    topic = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return (Message(after.id, after.seq, topic, event, _calls(event, after)),)


def _small(before: Release | None, event: Event, after: Release) -> bool:
    """Of no interest by itself: a gate that gets on, a way back that nobody was on, an end that was told already."""
    match event:
        case events.VerdictChanged(judgement=judgement):
            return judgement.verdict in (Verdict.CONTINUE, Verdict.PASS)
        case events.TrafficConfirmed():
            return after.phase is Phase.PROMOTING
        case events.RollbackBegun():
            return before is not None and before.dseq == 0
        case events.HookEnded(ok=ok, again=again, step=step):
            return not ok and not again and not step.when.after
    return False


def _calls(event: Event, after: Release) -> bool:
    match event:
        case events.HoldPlaced(hold=hold):
            return needs_people(hold)
        case events.RollbackBegun(cause=cause, stay=stay):
            return stay or cause.kind not in WANTED
        case events.Closed(phase=phase, cause=cause):
            bad = after.plan.mode is Mode.OBSERVE and cause.kind not in WANTED  # nothing goes back by itself
            return bad or phase is Phase.FAILED_TO_START
        case events.HookEnded(ok=ok, again=again, step=step):
            return step.when.after and not ok and not again  # nothing else follows from it
        case events.MeshFailing():
            return after.dseq > 0
        case events.HistoryLost():
            return True
        case events.HomeBegun():
            return after.plan.home is Promotion.NONE
    return False


def needs_people(hold: Hold) -> bool:
    """Holds for want of measurements may end by themselves; once their limit is over they need people."""
    return HOLDS[hold.kind].calls or (hold.kind in OWN_LIMIT and hold.until is None)
