"""Mistakes put into the engine on purpose: each must break its invariant, or the world is too small."""

from pathlib import Path

import pytest

from tests.simulation.campaign import run
from tests.simulation.mutants import FAULTY, MUTANTS
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


@pytest.mark.parametrize("seed", range(3))
def test_faults_of_ours_are_told_and_when_they_are_mended_everything_goes_on(seed: int) -> None:
    """The weather that no other test has: without the mistake nothing breaks in it."""
    outcome = run(seed, FAULTY)
    assert outcome.broken == ()
    assert outcome.happened["fault"]


def test_the_documentation_tells_what_each_mistake_breaks() -> None:
    def told(mutant: Mutant) -> str:
        breaks = (mutant.breaks,) if isinstance(mutant.breaks, str) else mutant.breaks
        what = " or ".join(text.removeprefix("invariant ").removesuffix(":") for text in breaks)
        return f"| {mutant.name} | {what} |"

    page = Path(__file__).parents[2] / "docs" / "simulation.md"
    _, _, table = page.read_text().partition("| mistake | breaks |\n|---|---|\n")
    assert table.partition("\n\n")[0].splitlines() == [told(mutant) for mutant in MUTANTS]
