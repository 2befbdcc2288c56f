"""What an admission is decided on, and the answers that change nothing."""

from dataclasses import dataclass

from delivery.machine.change import Admission, Change
from delivery.machine.refusal import CONFLICT, Refusal
from delivery.model.context import Context
from delivery.model.frozen import replace
from delivery.model.ids import ReleaseId
from delivery.model.notice import Notice
from delivery.model.plan import Plan
from delivery.model.release import Release
from delivery.model.service import OnNewVersion
from delivery.model.target import World


@dataclass(frozen=True, slots=True)
class Case:
    """What an admission is decided on. `plan` is what a release of this service would follow now."""

    world: World
    notice: Notice
    plan: Plan
    policy: OnNewVersion
    context: Context


def known(world: World, release: ReleaseId) -> Release:
    """The release that a person names. Raises Refusal."""
    if release not in world.releases:
        raise Refusal(CONFLICT, f"{release} is over and not among the newest of {world.target.id}")
    return world.releases[release]


def no_op(reason: str, text: str, about: Release | None = None) -> Admission:
    """Nothing happens; `about` is the release that it is about, where there is one."""
    return Admission("no_op", reason, text, about.id if about else None)


def noted(case: Case, reason: str, text: str, about: Release | None = None) -> Admission:
    """Changes at most what the newest event of its source is, so that an older one that comes late is known as such."""
    return replace(no_op(reason, text, about), change=Change(case.world))
