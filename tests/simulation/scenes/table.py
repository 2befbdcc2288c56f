"""Everything that can happen to a release, in every phase that it can be in."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from delivery.adapters.mesh.memory import Mood
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Principal, ReleaseId
from delivery.model.signal import Abort, Approve, Pause, PromoteNow, Reject, Resume
from delivery.model.traffic import Traffic
from tests.simulation.scenes.play import Play

ANN = Principal("ann")
STABLE, CANDIDATE = "good-1", "good-2"
Deed = Callable[[Play, ReleaseId], object]


def _baking(play: Play) -> ReleaseId:
    """The first stage is live and proven, and stays so: it is paused."""
    release = play.event(CANDIDATE)
    play.reach(release, Phase.BAKING)
    play.tell(release, Pause(ANN))
    return release


def _queued(play: Play) -> ReleaseId:
    _baking(play)
    return play.event("good-3")


def _preparing(play: Play) -> ReleaseId:
    play.world.workloads[play.cluster].unready.add(CANDIDATE)
    release = play.event(CANDIDATE)
    play.go(0.3)
    return release


def _shifting(play: Play) -> ReleaseId:
    release = play.event(CANDIDATE)
    play.tell(release, Pause(ANN))
    play.until(lambda: play.now(release).ready)
    play.moods(Mood.LAGGING)
    play.tell(release, Resume(ANN))
    play.reach(release, Phase.SHIFTING)
    return release


def _promoting(play: Play) -> ReleaseId:
    release = _baking(play)
    play.moods(Mood.LAGGING)
    play.tell(release, PromoteNow(ANN))
    play.reach(release, Phase.PROMOTING)
    return release


def _rolling_back(play: Play) -> ReleaseId:
    release = _baking(play)
    play.moods(Mood.LAGGING)
    play.tell(release, Abort(ANN))
    play.reach(release, Phase.ROLLING_BACK)
    return release


def _closed(play: Play) -> ReleaseId:
    release = _baking(play)
    play.tell(release, Abort(ANN))
    play.until(lambda: play.now(release).phase.closed)
    return release


WAYS: Mapping[Phase, Callable[[Play], ReleaseId]] = {
    Phase.QUEUED: _queued,
    Phase.PREPARING: _preparing,
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _baking,
    Phase.PROMOTING: _promoting,
    Phase.ROLLING_BACK: _rolling_back,
    Phase.ROLLED_BACK: _closed,
}


def _for_a_while(begin: Callable[[], object], end: Callable[[], object], play: Play, seconds: float = 1.5) -> None:
    begin()
    play.go(seconds)
    end()
    play.go(seconds)


def _unready(play: Play, version: str) -> None:
    unready = play.world.workloads[play.cluster].unready
    _for_a_while(lambda: unready.add(version), lambda: unready.discard(version), play)


def _mesh_down(play: Play, release: ReleaseId) -> None:
    _for_a_while(lambda: setattr(play.mesh, "down", True), lambda: setattr(play.mesh, "down", False), play)


def _foreign(play: Play, deed: Callable[[], object]) -> None:
    play.world.watch.routes.foreign = True
    deed()
    play.world.watch.routes.foreign = False


def _stripped(play: Play, release: ReleaseId) -> None:
    _foreign(play, lambda: play.mesh.strip(play.target))


def _edited_and_refused(play: Play, release: ReleaseId) -> None:
    """Somebody changes the route, and ours is refused for a while."""
    _foreign(play, lambda: play.mesh.edit(play.target, Traffic(weight=30)))
    _for_a_while(
        lambda: play.mesh.refuse(play.target, "denied by policy"), lambda: play.mesh.refuse(play.target, None), play
    )


def _refused_by_proxies(play: Play, release: ReleaseId) -> None:
    _for_a_while(lambda: play.moods(Mood.REFUSING), lambda: play.moods(Mood.LAGGING), play)


def _history_lost(play: Play, release: ReleaseId) -> None:
    """The route was written after an event that the database does not have."""
    entry = play.mesh.stored(play.target)
    if entry is None or entry.stamp is None:
        raise AssertionError("there is no route")
    ahead = replace(entry, stamp=replace(entry.stamp, seq=entry.stamp.seq + 9, head="f" * 64))
    _foreign(play, lambda: play.mesh._store(ahead))


def _alert(play: Play, release: ReleaseId) -> None:
    play.people.monitor()


DEEDS: Mapping[str, Deed] = {
    "approve": lambda play, release: play.tell(release, Approve(ANN)),
    "reject": lambda play, release: play.tell(release, Reject(ANN)),
    "pause": lambda play, release: play.tell(release, Pause(ANN)),
    "resume": lambda play, release: play.tell(release, Resume(ANN, holds=(HoldKind.PAUSE,))),
    "abort": lambda play, release: play.tell(release, Abort(ANN)),
    "promote": lambda play, release: play.tell(release, PromoteNow(ANN)),
    "candidate unready": lambda play, release: _unready(play, CANDIDATE),
    "candidate crashes": lambda play, release: play.world.workloads[play.cluster].crashed.add(CANDIDATE),
    "stable unready": lambda play, release: _unready(play, STABLE),
    "proxies late": lambda play, release: play.go(3.0),
    "proxies refuse": _refused_by_proxies,
    "mesh down": _mesh_down,
    "route stripped": _stripped,
    "route edited and refused": _edited_and_refused,
    "history lost": _history_lost,
    "alert": _alert,
    "superseded": lambda play, release: play.event("good-9", urgent=True),
    "stable again": lambda play, release: play.event(STABLE),
}


def enact(phase: Phase, deed: str) -> list[str]:
    """Brings a release into the phase, lets it happen, mends everything; what was broken, in words."""
    play = Play()
    play.event(STABLE)
    play.until(lambda: play.world.row(play.target).target.stable)
    release = WAYS[phase](play)
    play.go(0.1)
    DEEDS[deed](play, release)
    play.go(1.5)
    return [f"{phase}, {deed}: {text}" for text in play.end()]
