"""Mistakes put into the engine on purpose: each must break its invariant, or the world is too small."""

import pytest

from tests.simulation.campaign import run
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.mutant import Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_in_the_engine_is_found(mutant: Mutant) -> None:
    found: list[str] = []
    for seed in range(mutant.seeds):
        with mutant.patched():
            broken = run(seed, mutant.profile, mutant.wrap).broken
        if any(text.startswith(mutant.breaks) for text in broken):
            return
        found += broken
    pytest.fail(f"{mutant.name} survived {mutant.seeds} schedules, which broke {found}")
