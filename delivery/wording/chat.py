"""A message as people read it in chat or on a console."""

from delivery.model import event as events
from delivery.model.event import Event, Level, Phase
from delivery.model.message import Message
from delivery.model.plan import Approval
from delivery.model.release import Release
from delivery.wording.cause import because
from delivery.wording.history import PHASES, line, moved_nothing
from delivery.wording.hold import overriding, wanted, what
from delivery.wording.release import headline
from delivery.wording.traffic import place
from delivery.wording.units import duration, percent
from delivery.wording.verdict import brief

_BAR = 10


def text(message: Message, release: Release, url: str = "", paused: str | None = None) -> str:
    """The whole message: what release, what happened, where it stands. `release` is as it was right after the event."""
    parts = [headline(release), happened(message.event, release, paused)]
    if not release.phase.closed:
        parts += [bar(release), *gates(release)]
    if url:
        parts.append(url)
    return "\n".join(part for part in parts if part)


def summary(message: Message, release: Release, paused: str | None = None) -> str:
    """One line, for a thread or a log: `#412 checkout: canary 5% (2/4) passed after 5m ...`."""
    service = release.target.rpartition("@")[0]
    return f"#{release.number} {service}: {happened(message.event, release, paused)}"


def bar(release: Release) -> str:
    """`[##........] 5 % confirmed`: the candidate's share, and whether the proxies have proven it."""
    share = _share(release)
    filled = "#" * (-(-share * _BAR // 100))
    proven = "confirmed" if release.dseq and release.confirmed == release.dseq else "not yet confirmed"
    if release.level is Level.WRITTEN and proven == "confirmed":
        proven = "written"
    return f"[{filled:.<{_BAR}}] {percent(share)} {proven}"


def _share(release: Release) -> int:
    if release.phase in (Phase.PROMOTING, Phase.PROMOTED):
        return 100
    if release.phase in (Phase.SHIFTING, Phase.BAKING) and release.stage >= 0:
        return release.plan.stages[release.stage].traffic.weight
    return 0


def gates(release: Release) -> list[str]:
    """What the gates of the stage that bakes say, in one line."""
    if release.phase is not Phase.BAKING or not release.verdicts:
        return []
    return [" · ".join(brief(judgement) for _, judgement in sorted(release.verdicts.items()))]


def happened(event: Event, release: Release, paused: str | None = None) -> str:
    """What the event means to people, short; what needs them in capitals. `paused`: who has the routes in hand."""
    match event:
        case events.Closed():
            return f"{PHASES[event.phase].upper()}: {because(event.cause)}{moved_nothing(release.plan)}"
        case events.Promoted():
            return f"PROMOTED after {duration(release.at - release.created_at)}"
        case events.RollbackBegun():
            kept = f" - NOTHING IS WRITTEN, traffic stays where it is: {paused}" if paused else ""
            return f"GOING BACK to stable: {because(event.cause)}{kept}"
        case events.HoldPlaced(hold=hold) if hold.kind == "approval":
            return f"NEEDS APPROVAL: {asks(release)}"
        case _:
            return line(event, release.plan)


def waits(release: Release) -> list[str]:
    """What keeps it from rising, and of whom something is wanted, a line each."""
    lines = []
    for hold in release.holds:
        asked = overriding(release, hold, release.at)
        lines.append(f"{what(hold)}; {asked}" if asked else what(hold))
    if release.phase in (Phase.PREPARING, Phase.SHIFTING, Phase.BAKING) and guarded(release):
        lines.append(asks(release))
    return lines


def guarded(release: Release) -> tuple[int, Approval] | None:
    """The next step and the approval that guards it; None for a first version and a rollback: nothing to protect."""
    if release.rolls_back is not None or (release.bound is not None and release.bound.stable is None):
        return None
    step = max(release.stage, release.passed) + 1
    stages = release.plan.stages
    approval = stages[step].approval if step < len(stages) else release.plan.promotion
    return None if approval is None else (step, approval)


def asks(release: Release) -> str:
    """What it wants of people before its next step: `canary 25% (3/4) needs 1 of sre, not alice, who started it`."""
    guard = guarded(release)
    if guard is None:
        return "nobody is asked"
    step, approval = guard
    votes = release.approvals.get((step, release.dseq), ())
    return f"{place(step, release.plan.stages)} {wanted(approval, votes, release.actor)}"
