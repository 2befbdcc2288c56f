"""One step: what a signal means for a release now. Pure: the same three give the same events, always."""

from delivery.machine.actions import allowed
from delivery.machine.change import Move
from delivery.machine.evolve import evolve
from delivery.machine.refusal import Refusal
from delivery.machine.rules.common import NOTHING, Events
from delivery.machine.rules.holds import derived, limits
from delivery.machine.rules.hooks import call
from delivery.machine.rules.progress import finish, onward, overdue
from delivery.machine.table import TABLE
from delivery.model.context import Context
from delivery.model.event import Event
from delivery.model.release import Release
from delivery.model.signal import Signal

AUTOMATIC = (derived, limits, overdue, call, onward, finish)
"""Rules that need no input, in the order in which they are asked; the first that has events goes, then all again."""
BOUND = 20
"""Longest chain of automatic rules; the longest that exists is below half of it."""


def step(release: Release, signal: Signal, context: Context) -> tuple[Release, tuple[Event, ...]]:
    """The release afterwards and the events that lead there.

    The surroundings are recorded first (so that rules see every hold), then the table decides, then the automatic
    rules until none has anything to say. Raises Refusal to people whose action does not fit: nothing has changed then,
    and it names what fits.
    """
    moves = steps(release, signal, context)
    return (moves[-1].after if moves else release), tuple(move.event for move in moves)


def steps(release: Release, signal: Signal, context: Context) -> tuple[Move, ...]:
    """As `step`, with the release around each event."""
    moves = _applied(release, derived(release, context))
    now = moves[-1].after if moves else release
    try:
        decided = TABLE[(now.phase, type(signal))](now, signal, context)
    except Refusal as refusal:
        raise refusal.allowing(allowed(release, context)) from None
    moves += _applied(now, decided)
    return tuple(_settled(moves, moves[-1].after if moves else release, context))


def _settled(moves: list[Move], release: Release, context: Context) -> list[Move]:
    rules = AUTOMATIC if moves else AUTOMATIC[1:]  # where nothing has happened, the surroundings are recorded already
    for _ in range(BOUND):
        events = next((events for rule in rules if (events := rule(release, context))), NOTHING)
        rules = AUTOMATIC
        if not events:
            return moves
        moves += _applied(release, events)
        release = moves[-1].after
    raise RuntimeError(f"{release.id}: the automatic rules came to no end at event {release.seq} ({release.phase})")


def _applied(release: Release, events: Events) -> list[Move]:
    moves = []
    for event in events:
        after = evolve(release, event)
        moves.append(Move(release, event, after))
        release = after
    return moves
