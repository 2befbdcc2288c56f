"""Where a release stands on its plan: what comes next, who guards it, and whom its candidate has reached."""

from collections.abc import Iterable
from dataclasses import dataclass

from delivery.machine.hooks import outstanding
from delivery.model.event import CauseKind, Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import Step, When
from delivery.model.ids import Principal
from delivery.model.place import Mode
from delivery.model.plan import Approval, Then
from delivery.model.release import Home, Release


@dataclass(frozen=True, slots=True)
class Guard:
    """An approval before `stage` (`len(stages)`: the raise to 100 percent). `asks`: the question that ends a chain."""

    stage: int
    approval: Approval
    asks: bool = False


def following(release: Release) -> int:
    """The stage that comes next; `len(stages)` is the raise to 100 percent."""
    return max(release.stage, release.passed) + 1


def guard(release: Release, stage: int) -> Guard | None:
    """Who must agree before `stage`: nobody for a first version, nor for the rollback of a finished release."""
    if first_version(release) or release.rolls_back is not None:
        return None
    plan = release.plan
    if stage < len(plan.stages):
        approval = plan.stages[stage].approval
        return Guard(stage, approval) if approval else None
    if plan.then is Then.ASK:
        return Guard(stage, plan.promotion or Approval(), asks=True)
    return Guard(stage, plan.promotion) if plan.promotion else None


def next_guard(release: Release) -> Guard | None:
    """The guard of what comes next; None too where nothing can come next."""
    if release.phase not in (Phase.PREPARING, Phase.SHIFTING, Phase.BAKING):
        return None
    return guard(release, following(release))


def votes(release: Release, stage: int) -> tuple[Principal, ...]:
    """Who agreed to enter `stage` from what is live now."""
    return release.approvals.get((stage, release.dseq), ())


def is_one_of(person: Principal, others: Iterable[Principal]) -> bool:
    """Whether it is one of these people. Logins are the same whatever their case is: four eyes stay four."""
    return person.casefold() in {other.casefold() for other in others}


def met(release: Release, wanted: Guard) -> bool:
    """Whether enough people agreed."""
    return len(votes(release, wanted.stage)) >= wanted.approval.count


def unmet_ahead(release: Release) -> Guard | None:
    """The first guard between here and 100 percent that not enough people agreed to."""
    for stage in range(following(release), len(release.plan.stages) + 1):
        wanted = guard(release, stage)
        if wanted is not None and not met(release, wanted):
            return wanted
    return None


def stage_done(release: Release) -> bool:
    """Whether only the step to what comes next is left to take. A stage is not done before it is proven, nor before
    its own hooks are.
    """
    if release.phase is Phase.PREPARING:
        return release.ready
    passed = release.phase is Phase.BAKING and release.passed >= release.stage and not capped(release)
    return passed and not awaits_own_hooks(release)


def awaits_own_hooks(release: Release) -> bool:
    """Whether the stage that is live has hooks that have not done their part; a person who promotes skips them."""
    return not by_person(release) and outstanding(release, Step(When.DURING, release.stage)) is not None


def awaits_first_hooks(release: Release) -> bool:
    """Whether nothing of the candidate may be started yet. The rollback of a finished release waits for no hook."""
    first = release.phase is Phase.PREPARING and not release.ready and release.rolls_back is None
    return first and outstanding(release, Step(When.START)) is not None


def withdraws(release: Release) -> bool:
    """Whether its plan ends here without promotion, and nobody promoted it."""
    last = following(release) == len(release.plan.stages) > 0
    return last and release.plan.then is Then.WITHDRAW and not by_person(release) and not first_version(release)


def by_person(release: Release) -> bool:
    """Whether a person promoted it."""
    return release.cause is not None and release.cause.kind is CauseKind.PROMOTED_BY_PERSON


def arrived(release: Release) -> bool:
    """Whether its last traffic is proven, up or down, and what runs at its owners' is what it should be.

    Users that had to stay with the candidate are no end.
    """
    if release.confirmed != release.dseq or capped(release):
        return False
    if release.phase is Phase.PROMOTING:
        return release.plan.home is None or release.home is Home.ENTERED
    going = release.home is not None and not first_version(release)
    return release.phase is Phase.ROLLING_BACK and not release.stay and not going


def first_version(release: Release) -> bool:
    """Whether nothing was stable when its turn came."""
    return release.bound is not None and release.bound.stable is None


def unsure_of_stable(release: Release) -> bool:
    """Whether what runs now is still to be looked up: always where its owners keep it in a workload of their own and
    may change it there, else only where nothing is known to be stable.
    """
    if release.bound is None or release.looked or release.phase is not Phase.PREPARING:
        return False
    return release.plan.mode is Mode.CLONE or (release.plan.mode is Mode.VERSIONED and first_version(release))


def stable_unready(release: Release) -> bool:
    """Whether stable is known to have no ready instance, also where a person chose to go on nevertheless."""
    return release.held(HoldKind.STABLE_UNREADY) or HoldKind.STABLE_UNREADY in release.waived


def capped(release: Release) -> bool:
    """Whether less than the recorded traffic is desired, because history was lost: then no confirmation is awaited."""
    return release.ceiling is not None and release.phase in (Phase.SHIFTING, Phase.BAKING, Phase.PROMOTING)


def left_alone(release: Release) -> bool:
    """Whether the route stays as it was found, because a person is to decide first: where history was lost, and where
    nothing is known to be stable, so that what is there has the only version that serves anybody.
    """
    return capped(release) and (release.held(HoldKind.HISTORY_LOST) or first_version(release))


def reached_users(release: Release) -> bool:
    """Whether any user may have been answered by the candidate."""
    entered = release.plan.stages[: release.stage + 1]
    return release.exposed > 0 or any(stage.traffic.exposes for stage in entered)
