"""One canary and one revert, with something going wrong at one call, or at two."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from delivery.engine.answer import Arrival
from delivery.model.event import Phase
from delivery.model.ids import Micros, ReleaseId
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.release import Home
from delivery.model.signal import Abort, PromoteNow
from delivery.model.version import VersionRef
from delivery.ports.errors import PortError, Unavailable
from tests.simulation.campaign import waits
from tests.simulation.people import APPROVERS, STARTER
from tests.simulation.rest import at_rest
from tests.simulation.scenes.play import Play
from tests.simulation.scheduler import Actor, Process
from tests.simulation.watch.ghost import InvariantBroken
from tests.simulation.world import Wrap, unwrapped

API = "api"
AGAIN = 100_000
"""Microseconds until a process that died is started again, and until a sender without an answer sends again."""
KILL, LOST = "kill", "lost"


@dataclass
class Mishaps:
    """What goes wrong at which calls, counted from 0, each twice: before and after. `names` are all that were made."""

    at: Collection[int] = ()
    kind: str = KILL
    names: list[str] = field(default_factory=list)


def enact(mishaps: Mishaps, wrap: Wrap = unwrapped) -> list[str]:
    """Plays it; what was broken, in words."""
    play = Play(services=("short",), service="short", wrap=wrap)
    try:
        play.event("good-1")
        play.until(lambda: play.world.row(play.target).target.stable)
        play.restart()
        play.world.trigger = _trigger(play, mishaps)
        good = _send(play, "good-2")
        play.until(lambda: play.now(good).phase.closed)
        bad = _send(play, "bad-3")
        play.until(lambda: play.now(bad).phase.closed)
        play.until(lambda: not play.world.row(play.target).target.retiring)
        play.world.trigger = None
        play.until(lambda: not waits(play.world))
    except (AssertionError, InvariantBroken) as error:
        return [str(error)]
    ends = {good: Phase.PROMOTED, bad: Phase.ROLLED_BACK}
    wrong = [
        f"{one} ended as {play.now(one).phase}, not {end}" for one, end in ends.items() if play.now(one).phase != end
    ]
    return [*wrong, *at_rest(play.world, play.people)]


def enact_home(mishaps: Mishaps, wrap: Wrap = unwrapped) -> list[str]:
    """Plays a way home, and a way back from there, with the mishaps on those ways alone; what was broken, in words."""
    play = Play(services=("brisk",), service="brisk", wrap=wrap)
    try:
        home = _at_full(play, "good-1", mishaps)
        play.until(lambda: play.now(home).phase.closed)
        play.world.trigger = None
        back = _at_full(play, "good-2", mishaps)
        play.until(lambda: play.now(back).home is Home.BEGUN)
        play.world.workloads[play.cluster].unready.add("good-2")
        play.tell(back, Abort(APPROVERS[0]))
        play.until(lambda: play.now(back).phase.closed)
        play.world.trigger = None
        play.world.workloads[play.cluster].unready.clear()
        play.until(lambda: not waits(play.world))
    except (AssertionError, InvariantBroken) as error:
        return [str(error)]
    ends = {home: Phase.PROMOTED, back: Phase.ROLLED_BACK}
    wrong = [
        f"{one} ended as {play.now(one).phase}, not {end}" for one, end in ends.items() if play.now(one).phase != end
    ]
    runs = play.world.workloads[play.cluster].homes[play.target].version.version
    return [*wrong, *([] if runs == "good-1" else [f"{runs} at home"]), *at_rest(play.world, play.people)]


def _at_full(play: Play, version: str, mishaps: Mishaps) -> ReleaseId:
    """A release whose copy is about to be given everything; from now on something may go wrong."""
    release = play.event(version)
    play.reach(release, Phase.BAKING)
    play.world.trigger = _trigger(play, mishaps)
    play.tell(release, PromoteNow(APPROVERS[0]))
    return release


def _trigger(play: Play, mishaps: Mishaps) -> Callable[[Actor, str], None]:
    """Counts the calls of every process of ours, and strikes."""

    def strike(actor: Actor, name: str) -> None:
        process = actor.process
        if process.name != API and process not in play.world.workers.values():
            return
        number = len(mishaps.names)
        mishaps.names.append(f"{process.name} {name}")
        if number not in mishaps.at:
            return
        play.world.happened[f"{mishaps.kind} {name}" if mishaps.kind == KILL else f"unavailable {name}"] += 1
        if mishaps.kind == LOST:
            play.world.disturb()  # what was claimed waits until its lease is over
            raise Unavailable(f"{name}: no answer")
        play.world.scheduler.spawn("starter", starter)
        play.world.disturb()
        play.world.scheduler.kill(process)

    def starter() -> None:
        play.world.scheduler.sleep(AGAIN)
        play.world.revive()

    return strike


def _send(play: Play, version: str) -> ReleaseId:
    """CI sends the event until it is answered, whichever API process lives."""
    world, key = play.world, play.people.key()
    says = ReleaseRequested(play.service, VersionRef(version, version), STARTER, play.cluster)
    notice = Notice("ci", key, f"digest {says}", says, Micros(world.scheduler.now))
    made: list[ReleaseId] = []

    def life() -> None:
        try:
            made.extend(world.inbox().accept([Arrival(notice, b"{}")])[0].releases)
        except PortError:
            return

    def over(actor: Actor) -> bool:
        return actor.run.dead or actor.process.dead

    while not made:
        play.until(partial(over, world.scheduler.spawn(API, life, Process(API))))
        if not made:
            play.go(AGAIN / 1_000_000)
    return made[0]
