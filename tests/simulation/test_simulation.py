"""The engine's own code under everything that can go wrong, deterministically. `make simulate` runs more of it."""

import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from delivery.machine import step
from delivery.machine.rules.common import ignore
from delivery.machine.table import OPEN, TABLE
from tests.simulation.campaign import Outcome, run
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.profiles import FENCE

SEEDS = range(60)
Campaign = tuple[list[Outcome], Counter[tuple[str, str]]]


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """Many schedules, and which pairs of the machine's table they met."""
    met: Counter[tuple[str, str]] = Counter()

    class Counting(dict[Any, Any]):
        def __getitem__(self, pair: Any) -> Any:
            met[(pair[0].value, pair[1].__name__)] += 1
            return super().__getitem__(pair)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "TABLE", Counting(TABLE))
        outcomes = [run(seed) for seed in SEEDS]
    return outcomes, met


def test_no_invariant_breaks(campaign: Campaign) -> None:
    broken = {outcome.seed: outcome.broken for outcome in campaign[0] if outcome.broken}
    assert not broken, f"`make simulate SEEDS==N` shows seed N again: {broken}"


def test_every_kind_of_fault_happened(campaign: Campaign) -> None:
    happened = sum((outcome.happened for outcome in campaign[0]), Counter[str]())
    for fault in ("kill", "unavailable"):
        never = [call for call in FENCE if not happened[f"{fault} before {call}"] + happened[f"{fault} after {call}"]]
        assert never == [], fault


def test_work_gets_done_in_every_weather(campaign: Campaign) -> None:
    """A storm in which nothing moves proves nothing."""
    ends: dict[str, Counter[str]] = {}
    for outcome in campaign[0]:
        ends.setdefault(outcome.profile, Counter()).update(outcome.ends)
    assert len(ends) >= 7
    for profile, counted in ends.items():
        assert counted["promoted"], (profile, counted)
        assert counted["rolled_back"] + counted["cancelled"] + counted["superseded"], (profile, counted)


def test_the_machine_was_met_in_every_phase(campaign: Campaign) -> None:
    """Sometimes-assertions: pairs that so many schedules must reach, or the world has become too tame."""
    met = campaign[1]
    wanted = {
        (phase.value, signal.__name__) for (phase, signal), rule in TABLE.items() if phase in OPEN and rule != ignore
    }
    rare = {(phase, signal) for phase, signals in RARE.items() for signal in signals.split()}
    assert [pair for pair in sorted(wanted - rare) if not met[pair]] == []


RARE = {
    "baking": "Nacked StableAgain StableReady WorkloadFailing WorkloadReady",
    "preparing": "HistoryLost MeshUp Nacked StableAgain",
    "promoting": "Drifted Reject StableAgain StableReady StableUnready Unconfirmed WorkloadFailing",
    "queued": "Due StableAgain",
    "rolling_back": "Drifted Reject Unconfirmed",
    "shifting": "Drifted HistoryLost Pause PromoteNow Reject StableAgain StableReady StableUnready Unconfirmed"
    " WorkloadFailing WorkloadMissing WorkloadReady",
}
"""Pairs that so few schedules meet three times at most, by phase. Longer runs and the machine's own tests meet them."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_in_the_engine_is_found(mutant: Mutant) -> None:
    found = []
    for seed in range(mutant.seeds):
        with mutant.patched():
            found = list(run(seed, mutant.profile, mutant.wrap).broken)
        if any(mutant.breaks in text for text in found):
            return
    pytest.fail(f"{mutant.name} survived {mutant.seeds} schedules; the last one broke {found}")


def test_a_seed_gives_the_same_history_in_any_process() -> None:
    def history(hash_seed: str, zone: str) -> str:
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
        command = [sys.executable, "-m", "tests.simulation", "--seeds", "=7"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=60)
        return done.stdout.splitlines()[0]

    assert history("1", "Asia/Tokyo") == history("2", "America/Lima")
