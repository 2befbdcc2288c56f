"""The owners' hooks that were called during a release."""

from dataclasses import dataclass

from api.pages.views.badge import Badge, hook
from delivery.model.hook import HookRun
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.wording.hook import attempt, point


@dataclass(frozen=True, slots=True)
class HookShown:
    """`text`: at which point, which attempt, and what it said."""

    name: str
    badge: Badge
    text: str
    begun_at: Micros


def shown(release: Release) -> tuple[HookShown, ...]:
    return tuple(
        HookShown(
            name=run.hook,
            badge=hook(run.state),
            text=_text(run, release),
            begun_at=run.begun,
        )
        for run in release.hooks
    )


def _text(run: HookRun, release: Release) -> str:
    said = f": {run.detail}" if run.detail else ""
    return f"{point(run.step, release.plan.stages)}{attempt(run.attempt)}{said}"
