"""A new release after a finished one: the same candidate once more, or back to the version that it replaced."""

from delivery.machine.admitting.begin import Wish, begin, open_release
from delivery.machine.admitting.case import Case, known
from delivery.machine.change import Admission
from delivery.machine.refusal import CONFLICT, Refusal
from delivery.model.event import Phase
from delivery.model.frozen import replace
from delivery.model.notice import Again
from delivery.model.release import Release
from delivery.model.service import OnNewVersion
from delivery.model.version import VersionRef


def again(case: Case, says: Again) -> Admission:
    """Raises Refusal where it makes no sense."""
    old = known(case.world, says.release)
    if not old.phase.closed:
        raise Refusal(CONFLICT, f"release #{old.number} is not over: it is {old.phase.value}")
    wish = _back(case, says, old) if says.back else _retry(case, says, old)
    if other := open_release(case.world, wish.candidate.identity):
        raise Refusal(CONFLICT, f"release #{other.number} is bringing {wish.candidate.version} already")
    return begin(case, wish)


def _retry(case: Case, says: Again, old: Release) -> Wish:
    """The same candidate once more, by today's plan; a person vouches for it, so it may have been rejected."""
    target, active = case.world.target, case.world.active
    stable, taken_back = target.stable, old.candidate.identity in target.rejected
    if old.phase is Phase.PROMOTED and not taken_back:
        raise Refusal(CONFLICT, f"release #{old.number} was promoted: there is nothing to retry", ("rollback",))
    if stable is not None and old.candidate.identity == stable.identity:
        raise Refusal(CONFLICT, f"{old.candidate.version} is stable here already")
    if active is not None and case.policy is OnNewVersion.REJECT:
        raise Refusal(CONFLICT, f"release #{active.number} runs, and the service says to reject new versions meanwhile")
    return Wish(old.candidate, says.actor, False, case.plan, _told(says), retry_of=old.id)


def _back(case: Case, says: Again, old: Release) -> Wish:
    """The version that a promoted release replaced: straight to 100 percent when ready, and before what runs."""
    stable, before = case.world.target.stable, old.bound.stable if old.bound else None
    if old.phase is not Phase.PROMOTED:
        raise Refusal(CONFLICT, f"release #{old.number} was not promoted: there is nothing to roll back", ("retry",))
    if before is None:
        raise Refusal(CONFLICT, f"release #{old.number} was the first version here: there is nothing before it")
    if stable is None or stable.identity != old.candidate.identity:
        raise Refusal(CONFLICT, f"{old.candidate.version} is not stable any more: {_instead(stable, before)}")
    straight = replace(case.plan, stages=(), then=None, promotion=None)
    return Wish(before, says.actor, True, straight, _told(says), rolls_back=old.id)


def _instead(stable: VersionRef | None, before: VersionRef) -> str:
    if stable is None:
        return "nothing is"
    if stable.identity == before.identity:
        return f"{stable.version}, which it replaced, is stable again"
    return f"{stable.version} is; roll back the release that brought {stable.version}"


def _told(says: Again) -> dict[str, str]:
    told = {"via": says.via, "reason": says.reason}
    return {key: value for key, value in told.items() if value}
