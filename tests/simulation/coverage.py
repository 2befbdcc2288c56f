"""Sometimes-assertions: what must have happened, or the world has become too tame."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from delivery.machine import step
from delivery.machine.rules.common import ignore
from delivery.machine.table import TABLE
from delivery.model.event import Phase
from tests.simulation.profiles import FENCE, PROFILES

Pair = tuple[str, str]
WHEN = ("before", "after")

MET: dict[str, str] = {
    "queued": "Approve Pause Resume Abort PromoteNow TurnCame SupersededBy",
    "preparing": "Approve Reject Pause Resume Abort PromoteNow WorkloadReady WorkloadMissing WorkloadFailing MeshDown "
    "StableIs SupersededBy StableUnready StableReady HookAnswered Due",
    "shifting": "Approve Resume Abort Confirmed MeshDown MeshUp SupersededBy Due",
    "baking": "Approve Reject Pause Resume Abort PromoteNow MeshDown Measured AlertFired SupersededBy StableUnready "
    "Due",
    "promoting": "Approve Confirmed HomeReady HookAnswered Due",
    "rolling_back": "Approve Reject Pause Resume Abort PromoteNow Confirmed Nacked MeshDown MeshUp StableUnready Due",
    "closed": "Approve Resume",
}
"""What a campaign of the test's size meets by chance in each phase. The scenes of the table meet every pair."""

_DEEDS = sorted({name for profile in PROFILES.values() for name in profile.deeds})
FAULTS: tuple[tuple[str, ...], ...] = (
    *((f"unavailable before {call}", f"unavailable after {call}") for call in FENCE),
    *(tuple(f"{fault} {when} {call}" for when in WHEN for call in FENCE) for fault in ("kill", "stall")),
    *((deed,) for deed in _DEEDS),
    *((f"hangs {call}",) for call in ("metrics.sample", "workloads.ensure")),
    ("commits lost",),
    ("delivered twice",),
    ("replayed under another id",),
)
"""What must have gone wrong in a campaign of the test's size: of each row, something."""


def every_pair() -> set[Pair]:
    """Each phase with each signal that means something there; the closed phases are alike."""
    return {(named(phase), signal.__name__) for (phase, signal), rule in TABLE.items() if rule is not ignore}


UNREACHABLE = {("queued", "Due")}
"""Time is told to the release that runs; one that waits does not change by it."""


def named(phase: Phase) -> str:
    return "closed" if phase.closed else phase.value


@contextmanager
def counting(pairs: Counter[Pair]) -> Iterator[None]:
    """Counts what the machine is asked."""

    class Counting(dict[Any, Any]):
        def __getitem__(self, pair: Any) -> Any:
            pairs[named(pair[0]), pair[1].__name__] += 1
            return TABLE[pair]

    with patch.object(step, "TABLE", Counting()):
        yield
