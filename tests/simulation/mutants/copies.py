"""Mistakes with the copy of stable that a candidate is compared with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from delivery.engine import workload
from delivery.gates import fresh
from delivery.machine import baseline, holds
from delivery.model.event import StageEntered
from delivery.model.hold import HoldKind
from delivery.model.release import Release
from delivery.model.signal import BaselineMissing
from tests.simulation.mutants.engine import revert_only_if


@contextmanager
def revert_waits() -> Iterator[None]:
    """A way back waits until the copy is ready again."""

    with revert_only_if(lambda release: not release.held(HoldKind.BASELINE_UNREADY)):
        yield


@contextmanager
def gone_is_good() -> Iterator[None]:
    """What is measured without a copy counts as well."""
    kind = HoldKind.BASELINE_UNREADY
    certain = {**holds.HOLDS, kind: replace(holds.HOLDS[kind], doubts=False)}
    with patch.object(holds, "HOLDS", certain), patch.object(fresh, "_wrong", lambda tick: None):
        yield


@contextmanager
def keeps_its_share() -> Iterator[None]:
    """A copy of which nobody answers keeps its share."""

    def partly(looked_for: str, *answers: bool, **more: bool) -> BaselineMissing:
        return BaselineMissing(looked_for, answers=True)

    with patch.object(workload, "BaselineMissing", partly):
        yield


@contextmanager
def before_it_is_ready() -> Iterator[None]:
    """A stage begins with a copy that is not there yet."""

    def at_once(release: Release, at: Any, stage: int) -> StageEntered:
        return StageEntered(at=at, stage=stage, compared=True if baseline.of_stage(release, stage) else None)

    ready = patch.object(baseline, "enough", lambda release, stage: True)
    with ready, patch.object(baseline, "entered", at_once):
        yield
