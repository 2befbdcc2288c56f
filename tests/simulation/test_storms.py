"""The engine's own code under everything that can go wrong, deterministically. `make simulate` runs more of it."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.campaign import Outcome, run
from tests.simulation.coverage import FAULTS, MET, Pair, counting
from tests.simulation.profiles import PROFILES, short_of_seed

SEEDS = range(4 * len(PROFILES))
SHORT_SEEDS = range(6 * len(PROFILES))
pytestmark = pytest.mark.timeout(600)  # all of them are played in the first test's setup


class Campaign:
    """Many schedules, and what they met."""

    def __init__(self) -> None:
        self.pairs: Counter[Pair] = Counter()
        with counting(self.pairs):
            self.outcomes: list[Outcome] = [run(seed) for seed in SEEDS]
        self.happened = sum((outcome.happened for outcome in self.outcomes), Counter[str]())

    def ends(self, profile: str) -> Counter[str]:
        return sum((one.ends for one in self.outcomes if one.profile == profile), Counter[str]())


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign()


def test_no_invariant_breaks(campaign: Campaign) -> None:
    broken = {outcome.seed: outcome.broken for outcome in campaign.outcomes if outcome.broken}
    assert not broken, f"`make simulate SEEDS==N` shows seed N again: {broken}"


def test_no_invariant_breaks_in_short_schedules_and_work_gets_done_in_them() -> None:
    outcomes = [run(seed, short_of_seed(seed)) for seed in SHORT_SEEDS]
    broken = {outcome.seed: outcome.broken for outcome in outcomes if outcome.broken}
    assert not broken, f"`make simulate SEEDS==N ARGS=--short` shows seed N again: {broken}"
    ends = sum((outcome.ends for outcome in outcomes), Counter[str]())
    assert ends["promoted"] > len(SHORT_SEEDS), ends
    assert all(outcome.happened for outcome in outcomes), "a schedule in which nothing went wrong"


def test_every_kind_of_fault_happened(campaign: Campaign) -> None:
    assert [kinds for kinds in FAULTS if not any(campaign.happened[kind] for kind in kinds)] == []


def test_what_the_machine_must_be_asked_was_asked(campaign: Campaign) -> None:
    wanted = {(phase, signal) for phase, signals in MET.items() for signal in signals.split()}
    assert sorted(wanted - campaign.pairs.keys()) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_work_gets_done_in_every_weather(campaign: Campaign, profile: str) -> None:
    """A storm in which nothing moves proves nothing."""
    ends = campaign.ends(profile)
    assert ends["promoted"] > 10, ends
    assert ends["rolled_back"] + ends["cancelled"] + ends["superseded"] > 10, ends


def test_bounds_in_time_were_put_to_the_test(campaign: Campaign) -> None:
    assert sum(outcome.checked for outcome in campaign.outcomes) > 500


def test_a_seed_gives_the_same_schedule_again(campaign: Campaign) -> None:
    """Whatever was played before it."""
    assert run(SEEDS[0]).digest == campaign.outcomes[0].digest


def test_a_seed_gives_the_same_schedule_in_any_process() -> None:
    def schedule(hash_seed: str, zone: str) -> str:
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone}
        command = [sys.executable, "-m", "tests.simulation", "--seeds", "=9"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=60)
        return done.stdout.splitlines()[0]

    assert schedule("1", "Asia/Tokyo") == schedule("2", "America/Lima")
