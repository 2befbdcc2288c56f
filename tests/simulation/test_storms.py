"""The engine's own code under everything that can go wrong, deterministically. `make simulate` runs more of it."""

from collections import Counter

import pytest

from tests.simulation.campaign import Outcome, run
from tests.simulation.coverage import FAULTS, PAIRS, counting
from tests.simulation.profiles import PROFILES

SEEDS = range(4 * len(PROFILES))


class Campaign:
    """Many schedules, and what they met."""

    def __init__(self) -> None:
        self.pairs: Counter[tuple[str, str]] = Counter()
        with counting(self.pairs):
            self.outcomes: list[Outcome] = [run(seed) for seed in SEEDS]
        self.happened = sum((outcome.happened for outcome in self.outcomes), Counter[str]())


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign()


def test_no_invariant_breaks(campaign: Campaign) -> None:
    broken = {outcome.seed: outcome.broken for outcome in campaign.outcomes if outcome.broken}
    assert not broken, "make simulate SEEDS==N shows it again"


def test_every_kind_of_fault_happened(campaign: Campaign) -> None:
    assert [kind for kind in FAULTS if not campaign.happened[kind]] == []


def test_every_decision_of_the_machine_was_taken(campaign: Campaign) -> None:
    """What a campaign of this size must meet: if it does not, the world has become too tame."""
    assert sorted(PAIRS - campaign.pairs.keys()) == []


def test_releases_end_in_every_way(campaign: Campaign) -> None:
    ends = sum((outcome.ends for outcome in campaign.outcomes), Counter[str]())
    wanted = {"promoted", "rolled_back", "withdrawn", "cancelled", "superseded", "failed_to_start"}
    assert {end for end in wanted if ends[end] > 2} == wanted


def test_bounds_in_time_were_put_to_the_test(campaign: Campaign) -> None:
    assert sum(outcome.checked for outcome in campaign.outcomes) > 500
