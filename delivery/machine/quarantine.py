"""The way back for a target whose rules fail: it skips them."""

from delivery.machine.advance import taken
from delivery.machine.change import Change, Move
from delivery.machine.evolve import evolve
from delivery.machine.refusal import CONFLICT, Refusal
from delivery.machine.rules.common import moment, revert
from delivery.model.context import Context
from delivery.model.event import Cause, CauseKind, Phase
from delivery.model.signal import Abort
from delivery.model.target import World


def force_abort(world: World, signal: Abort, context: Context) -> Change:
    """The active release goes back to stable, by no rule but the way back itself. Raises Refusal where none runs."""
    release = world.active
    if release is None:
        raise Refusal(CONFLICT, "no release is running here")
    if release.phase is Phase.ROLLING_BACK:
        raise Refusal(CONFLICT, "traffic is going back to stable already")
    at = moment(release, context)
    cause = Cause(CauseKind.ABORTED, actor=signal.actor, reason=signal.reason, via=signal.via)
    return taken(world, [Move(release, event, evolve(release, event)) for event in revert(release, at, cause)])
