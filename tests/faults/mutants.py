"""Mistakes put into real processes: each part has to find one, or it looks at nothing."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from tests.simulation.mutants import engine, ports
from tests.simulation.mutants.mutant import only
from tests.simulation.world import Wrap, unwrapped


@dataclass(frozen=True)
class Planted:
    """`breaks`: how what is found begins."""

    breaks: str
    wrap: Wrap = unwrapped
    patched: Callable[[], AbstractContextManager[Any]] = nullcontext


class OutboxLater(ports.OutboxOutside):
    """With time to die in between."""

    def _between(self) -> None:
        time.sleep(0.2)


MUTANTS = {
    "outbox outside the commit": Planted("invariant 14:", only(OutboxLater, "ledger")),
    "verdict not committed before the revert": Planted("invariant 5:", patched=engine.effects_first),
}
