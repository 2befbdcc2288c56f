"""A crash before and after each call through a port, one after the other, and pairs of them."""

import random

import pytest

from tests.simulation.scenes.crashes import KILL, LOST, Mishaps, enact, enact_home

PAIRS = 60
SOME = 30


@pytest.fixture(scope="module")
def calls() -> list[str]:
    """Every call of a canary and a revert to which nothing happens, each before and after."""
    undisturbed = Mishaps()
    assert enact(undisturbed) == []
    return undisturbed.names


def test_the_canary_and_the_revert_use_every_port(calls: list[str]) -> None:
    made = {name.rpartition(" ")[2] for name in calls}
    assert {
        *("ledger.claim", "ledger.load", "ledger.holds", "ledger.bump_epoch", "ledger.settle", "ledger.commit"),
        *("ledger.deliveries", "ledger.claim_outbox", "ledger.update_outbox", "ledger.lease"),
        *("mesh.observe", "mesh.read", "mesh.write", "mesh.confirm", "mesh.publish", "mesh.withdraw"),
        *("workloads.ensure", "workloads.retire", "metrics.sample", "chat.deliver"),
    } <= made
    assert len(calls) > 300


def test_a_crash_at_any_call_changes_no_outcome(calls: list[str]) -> None:
    broken = {calls[at]: found for at in range(len(calls)) if (found := enact(Mishaps((at,), KILL)))}
    assert broken == {}


def test_an_answer_that_gets_lost_changes_no_outcome(calls: list[str]) -> None:
    """The call was made, and its caller cannot know."""
    after = [at for at, name in enumerate(calls) if " after " in name]
    broken = {calls[at]: found for at in after if (found := enact(Mishaps((at,), LOST)))}
    assert broken == {}


def test_nor_on_the_way_home_and_back() -> None:
    """Every call about what is at home, and some of the others, its caller dead or only without an answer."""
    undisturbed, dice = Mishaps(), random.Random(2)
    assert enact_home(undisturbed) == []
    about = ("workloads.promote", "workloads.write")
    calls = [at for at, name in enumerate(undisturbed.names) if name.endswith(about)]
    assert len(calls) > 10
    calls += dice.sample(range(len(undisturbed.names)), SOME)
    broken = {undisturbed.names[at]: found for at in calls if (found := enact_home(Mishaps((at,), KILL)))}
    lost = [at for at in calls if " after " in undisturbed.names[at]]
    broken |= {undisturbed.names[at]: found for at in lost if (found := enact_home(Mishaps((at,), LOST)))}
    assert broken == {}


def test_two_crashes_change_no_outcome(calls: list[str]) -> None:
    """The second one soon after the first: while what that left is being taken over."""
    dice = random.Random(1)
    firsts = [dice.randrange(len(calls)) for _ in range(PAIRS)]
    pairs = [(first, first + dice.randrange(1, 120)) for first in firsts]
    broken = {pair: found for pair in pairs if (found := enact(Mishaps(pair, KILL)))}
    assert broken == {}
