"""The engine's own code under everything that can go wrong, deterministically. `make simulate` runs more of it."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext

import pytest

from delivery.machine import step
from delivery.machine.rules.common import ignore
from delivery.machine.table import OPEN, TABLE
from tests.simulation.campaign import Outcome, run
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.world import FENCE

SEEDS = range(40)
MUTANT_SEEDS = 150


@pytest.fixture(scope="module")
def campaign() -> tuple[list[Outcome], Counter[tuple[str, str]]]:
    """Many storms, and which pairs of the machine's table they met."""
    met: Counter[tuple[str, str]] = Counter()

    class Counting(dict):  # type: ignore[type-arg]
        def __getitem__(self, pair):  # type: ignore[no-untyped-def]
            met[(pair[0].value, pair[1].__name__)] += 1
            return super().__getitem__(pair)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "TABLE", Counting(TABLE))
        outcomes = [run(seed) for seed in SEEDS]
    return outcomes, met


def test_no_invariant_breaks(campaign: tuple[list[Outcome], Counter[tuple[str, str]]]) -> None:
    broken = {outcome.seed: outcome.broken for outcome in campaign[0] if outcome.broken}
    assert not broken, f"make simulate SEEDS==N shows it again: {broken}"


def test_every_kind_of_fault_happened(campaign: tuple[list[Outcome], Counter[tuple[str, str]]]) -> None:
    happened = sum((outcome.happened for outcome in campaign[0]), Counter[str]())
    kinds = (
        "kill",
        "mesh_down",
        "lag",
        "write_fault",
        "edit",
        "clock",
        "stop",
        "ready",
        "commits lost",
        "delivered twice",
    )
    assert [kind for kind in kinds if not happened[kind]] == []
    faults = ("kill before", "kill after", "unavailable before", "unavailable after")
    assert [f"{fault} {call}" for fault in faults for call in FENCE if not happened[f"{fault} {call}"]] == []


def test_the_machine_was_met_in_every_phase(campaign: tuple[list[Outcome], Counter[tuple[str, str]]]) -> None:
    """Sometimes-assertions: pairs that a storm must reach, or the world has become too tame."""
    met = campaign[1]
    wanted = {
        (phase.value, signal.__name__)
        for (phase, signal), rule in TABLE.items()
        if phase in OPEN and rule is not ignore
    }
    rare = {pair for pair in wanted if not met[pair]}
    assert len(rare) <= len(wanted) * 0.35, sorted(rare)
    for phase in OPEN:
        assert any(pair[0] == phase.value for pair in met), phase


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_in_the_engine_is_found(mutant: Mutant) -> None:
    for seed in range(MUTANT_SEEDS):
        with mutant.patched() if mutant.patched else nullcontext():
            if run(seed, mutant.wrap).broken:
                return
    pytest.fail(f"{mutant.name} survived {MUTANT_SEEDS} storms")


def test_a_seed_gives_the_same_history_in_any_process() -> None:
    def history(hash_seed: str, zone: str) -> str:
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
        command = [sys.executable, "-m", "tests.simulation", "--seeds", "=7"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=60)
        return done.stdout.splitlines()[0]

    assert history("1", "Asia/Tokyo") == history("2", "America/Lima")
