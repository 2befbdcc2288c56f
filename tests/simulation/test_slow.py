"""Something takes every call and answers none. With one worker alone a revert is written all the same, and proven."""

from collections.abc import Callable

import pytest

from delivery.adapters.mesh.memory import Mood
from delivery.model.event import HoldPlaced, Phase
from delivery.model.ids import Principal, ReleaseId
from delivery.model.signal import Abort, Pause
from delivery.model.traffic import ALL_STABLE
from tests.simulation.scenes.play import Play

ANN = Principal("ann")
SOON = 1.0
"""Seconds: some scans, and what a batch waits for its calls. Before, it was up to 6 s, for each of the three."""
SLOW = ("metrics", "hooks", "workloads")


def baking(play: Play, service: str) -> ReleaseId:
    """A release of the service that bakes, after a first version."""
    play.service = service
    play.event("good-1")
    play.until(lambda: play.world.row(play.target).target.stable)
    release = play.event("good-2")
    play.reach(release, Phase.BAKING)
    return release


def stage() -> Play:
    """Hooks pass, but for the one that is run while `hooking` bakes."""
    play = Play(services=("hooking", "queueing"), cluster="west")
    play.world.hooks["west"].moods |= {"migrate": "passes", "warm": "passes", "smoke": "hangs"}
    return play


def scene() -> tuple[Play, ReleaseId, ReleaseId]:
    """`queueing` and `hooking`, which the scene is about, bake beside each other in west."""
    play = stage()
    paused = baking(play, "queueing")
    play.tell(paused, Pause(ANN))
    return play, paused, baking(play, "hooking")


def hangs(play: Play, what: str) -> None:
    """It does not answer any more, and the worker waits for it."""
    getattr(play.world, what)["west"].hangs = True
    play.until(lambda: sum(n for name, n in play.world.happened.items() if name.startswith(f"hangs {what}")))


def seconds(play: Play, condition: Callable[[], object]) -> float:
    begun = play.world.scheduler.monotonic
    play.until(condition)
    return (play.world.scheduler.monotonic - begun) / 1_000_000


def weight(play: Play) -> int:
    """What is stored, whatever proxies run."""
    found = play.mesh.stored(play.target)
    return found.route.traffic.weight if found else 0


def to_zero(play: Play) -> float:
    return seconds(play, lambda: play.mesh.traffic(play.target) == ALL_STABLE)


@pytest.mark.parametrize("what", SLOW)
def test_the_revert_of_whoever_waits_is_written_at_once(what: str) -> None:
    play, _, release = scene()
    hangs(play, what)
    play.tell(release, Abort(ANN))
    assert to_zero(play) < SOON
    assert play.end() == []


@pytest.mark.parametrize("what", SLOW)
def test_a_revert_beside_those_who_wait_is_written_and_proven_at_once(what: str) -> None:
    play, other, _ = scene()
    hangs(play, what)
    play.service = "queueing"
    play.tell(other, Abort(ANN))
    assert to_zero(play) < SOON
    if what != "workloads":  # it is over once stable is known to be well, which they are asked for
        assert seconds(play, lambda: play.now(other).phase is Phase.ROLLED_BACK) < SOON
    assert play.end() == []


@pytest.mark.parametrize("what", SLOW)
def test_a_revert_that_is_claimed_together_with_those_who_wait_is_written_and_proven_at_once(what: str) -> None:
    play, other, _ = scene()
    play.world.scheduler.stop(play.world.workers["worker-0"], 1_000_000)  # less than a revert may take
    getattr(play.world, what)["west"].hangs = True
    play.service = "queueing"
    play.tell(other, Abort(ANN))
    play.go(1)
    assert to_zero(play) < SOON
    assert seconds(play, lambda: play.now(other).confirmed == play.now(other).dseq) < SOON
    assert play.end() == []


def test_what_a_rule_takes_back_is_taken_back_while_others_wait() -> None:
    """Nobody orders it, and nothing says beforehand that it is urgent."""
    play = stage()
    for service in ("hooking", "queueing"):
        play.service = service
        play.event("good-1")
    play.until(lambda: all(row.target.stable for row in play.world.ledger.rows() if row.target.cluster == "west"))
    baking(play, "hooking")
    hangs(play, "metrics")
    play.service = "queueing"
    play.moods(Mood.LAGGING)
    release = play.event("good-3")
    play.until(lambda: weight(play))
    play.world.workloads["west"].crashed.add("good-3")
    assert seconds(play, lambda: play.now(release).phase is Phase.ROLLING_BACK) < SOON
    assert seconds(play, lambda: not weight(play)) < SOON
    assert play.end() == []


def test_what_one_look_says_is_not_kept_waiting_by_another_one() -> None:
    """Of the same target. Its candidate dies while it is not measured."""
    play = Play()
    release = baking(play, "queueing")
    play.tell(release, Pause(ANN))
    play.world.scheduler.stop(play.world.workers["worker-0"], 1_000_000)
    play.world.metrics["east"].hangs = True
    play.world.workloads["east"].crashed.add("good-2")
    play.go(1)
    assert to_zero(play) < SOON
    assert play.end() == []


def test_a_mesh_that_hangs_holds_up_its_own_cluster_alone() -> None:
    play = Play(services=("queueing",))
    play.cluster = "west"
    baking(play, "queueing")
    play.cluster = "east"
    release = baking(play, "queueing")
    play.world.meshes["west"].hangs = True
    play.until(lambda: any(name.startswith("hangs mesh") for name in play.world.happened))
    play.tell(release, Abort(ANN))
    assert to_zero(play) < SOON
    assert seconds(play, lambda: play.now(release).phase is Phase.ROLLED_BACK) < SOON
    play.world.meshes["west"].hangs = False
    assert play.end() == []


def test_what_waits_is_done_once_it_is_answered() -> None:
    """A measurement that takes a second counts: nobody takes it for one that failed."""
    play = Play()
    release = baking(play, "queueing")
    play.world.metrics["east"].takes = 1_000_000
    play.reach(release, Phase.PROMOTED)
    assert not [event for event in play.events(release) if isinstance(event, HoldPlaced)]
    assert play.end() == []
