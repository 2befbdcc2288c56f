"""Hooks: work of the owners' own that a release waits for, such as a migration or a smoke test."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from delivery.model.ids import HookId, Micros


class When(StrEnum):
    """At which point of a release a hook runs."""

    START = "start"  # its turn came: before anything of the candidate is started
    TRAFFIC = "traffic"  # the candidate is ready: before it gets anything
    BEFORE = "before"  # a stage: right before it is entered
    DURING = "during"  # a stage: from the proof of its traffic on; the stage is done only then
    PROMOTION = "promotion"  # right before the raise to 100 percent
    PROMOTED = "promoted"  # the candidate has everything
    REVERTED = "reverted"  # stable has everything again

    @property
    def after(self) -> bool:
        """Whether nothing is left that it could keep from happening."""
        return self in (When.PROMOTED, When.REVERTED)


class OnFailure(StrEnum):
    """What follows when a hook that comes before something has failed for good."""

    REVERT = "revert"
    ASK = "ask"  # hold, and call people


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a plan; `stage` is an index where `when` is about a stage."""

    when: When
    stage: int | None = None


@dataclass(frozen=True, slots=True)
class HookSpec:
    """A hook as data: `kind` names its adapter, `params` is plain JSON for it, checked when it was compiled.

    `steps` has every point but those during stages: a stage names these itself. An attempt that has not ended
    `timeout` after its beginning has failed; there are `retries` attempts more than one.
    """

    id: HookId
    kind: str
    params: Mapping[str, object]
    steps: tuple[Step, ...] = ()
    timeout: Micros = Micros(300_000_000)
    retries: int = 0
    on_failure: OnFailure = OnFailure.REVERT


class HookState(StrEnum):
    RUNNING = "running"
    AGAIN = "again"  # it failed and has an attempt left
    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"  # it failed, and a person went on without it
    LEFT = "left"  # nobody waits for it any more


@dataclass(frozen=True, slots=True)
class HookRun:
    """The newest attempt of a hook at a point, numbered from 1. `ended` is None while it runs."""

    hook: HookId
    step: Step
    attempt: int
    begun: Micros
    state: HookState = HookState.RUNNING
    ended: Micros | None = None
    detail: str = ""
