"""What the rules share."""

from collections.abc import Callable
from typing import Any

from delivery.machine import path
from delivery.machine.desired import desired
from delivery.model.context import Context
from delivery.model.event import Cause, Closed, Event, Phase, RollbackBegun
from delivery.model.ids import Micros
from delivery.model.place import Mode
from delivery.model.release import Release
from delivery.model.signal import Signal

Events = tuple[Event, ...]
Rule = Callable[[Release, Any, Context], Events]
"""Decides what one kind of signal means in one phase. Raises Refusal, to people only."""
NOTHING: Events = ()


def ignore(release: Release, signal: Signal, context: Context) -> Events:
    """It means nothing here: too late, too early, or about something else."""
    return NOTHING


def look(release: Release, signal: Signal, context: Context) -> Events:
    """Time passed. Nothing to decide by itself: the automatic rules that follow every signal look at the clock."""
    return NOTHING


def moment(release: Release, context: Context) -> Micros:
    """The time of an event that is decided now: a clock that went back does not take history with it."""
    return Micros(max(context.now, release.at))


def revert(release: Release, at: Micros, cause: Cause, then: Phase | None = None) -> Events:
    """Back to stable, whatever is held, from any phase in which the release runs.

    It ends as `then`; by default rolled back if any user was reached, else cancelled. While stable is known to have no
    ready instance, users stay where they are (the candidate is the only healthy copy). Where stable's own workload was
    going over to the candidate, it is what answers in any case, and traffic goes there at once. A first version that
    was never given traffic has nothing to go back to and is over at once; so is what is only observed.
    """
    if release.plan.mode is Mode.OBSERVE:
        told = then if then in (Phase.SUPERSEDED, Phase.FAILED_TO_START) else Phase.WITHDRAWN
        return (Closed(at=at, phase=told, cause=cause),)
    end = then or (Phase.ROLLED_BACK if path.reached_users(release) else Phase.CANCELLED)
    if path.first_version(release) and release.dseq == 0:
        return (Closed(at=at, phase=end, cause=cause),)
    stay = path.stable_unready(release) and desired(release).exposes and release.home is None
    return (RollbackBegun(at=at, cause=cause, then=end, stay=stay),)
