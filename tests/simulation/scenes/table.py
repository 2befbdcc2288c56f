"""Everything that can happen to a release, in every phase that it can be in."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from delivery.adapters.mesh.memory import Mood
from delivery.machine import baseline
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Principal, ReleaseId
from delivery.model.release import Home
from delivery.model.signal import Abort, Approve, Pause, PromoteNow, Reject, Resume
from delivery.model.traffic import Traffic
from delivery.model.version import VersionRef
from tests.simulation.scenes.play import Play
from tests.simulation.scheduler import Actor
from tests.simulation.services import is_cloned

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


def _looking(play: Play) -> ReleaseId:
    """What its owners run is not known yet."""
    play.world.workloads[play.cluster].down = True
    release = play.event(CANDIDATE)
    play.go(0.3)
    play.world.workloads[play.cluster].down = False
    return release


def _going_home(play: Play) -> ReleaseId:
    """The copy has everything, and the owners' own workload does not get ready."""
    release = _baking(play)
    play.tell(release, PromoteNow(ANN))
    play.until(lambda: play.now(release).home is Home.BEGUN)
    play.world.workloads[play.cluster].unready.add(CANDIDATE)
    return release


def _at_home(play: Play) -> ReleaseId:
    """It has gone over, and the proxies do not prove the way there."""
    release = _going_home(play)

    def lag(actor: Actor, name: str) -> None:
        if name == "before mesh.write" and play.now(release).home is Home.ENTERED:
            play.moods(Mood.LAGGING)

    play.world.trigger = lag
    play.world.workloads[play.cluster].unready.discard(CANDIDATE)
    play.until(lambda: play.now(release).home is Home.ENTERED)
    play.go(0.1)
    play.world.trigger = None
    return release


def _back_from_home(play: Play) -> ReleaseId:
    """Traffic is back, and the owners' own workload is not."""
    release = _going_home(play)
    play.world.workloads[play.cluster].unready.add(STABLE)
    play.tell(release, Abort(ANN))
    play.until(lambda: play.now(release).confirmed == play.now(release).dseq)
    return release


HOME_WAYS: Mapping[str, Callable[[Play], ReleaseId]] = {
    "looking": _looking,
    "going home": _going_home,
    "at home": _at_home,
    "back from home": _back_from_home,
}


def _called(hook: str, *before: str) -> Callable[[Play], ReleaseId]:
    """A hook runs and does not end; those before it pass."""

    def way(play: Play) -> ReleaseId:
        moods = play.world.hooks[play.cluster].moods
        moods |= dict.fromkeys(("migrate", "warm", "smoke", "tell"), "passes") | {hook: "hangs"}
        release = play.event(CANDIDATE)
        if before == ("abort",):
            play.reach(release, Phase.BAKING)
            play.tell(release, Abort(ANN))
        elif before == ("promote",):
            play.reach(release, Phase.BAKING)
            play.tell(release, PromoteNow(ANN))
        play.until(lambda: any(run.hook == hook and run.ended is None for run in play.now(release).hooks))
        return release

    return way


HOOK_WAYS: Mapping[str, Callable[[Play], ReleaseId]] = {
    "hook at the start": _called("migrate"),
    "hook before traffic": _called("warm"),
    "hook during a stage": _called("smoke"),
    "hook after the promotion": _called("tell", "promote"),
    "hook after the way back": _called("tell", "abort"),
}


def _copy(play: Play, release: ReleaseId) -> str:
    """The identity of the copy of stable that it is compared with."""
    found = baseline.version(play.now(release))
    assert found is not None
    return found.identity


def _copy_awaited(play: Play) -> ReleaseId:
    """The candidate is ready, and its copy of stable is not."""
    release = play.event(CANDIDATE)
    play.world.workloads[play.cluster].gone[_copy(play, release)] = play.world.scheduler.monotonic
    play.until(lambda: play.now(release).ready)
    return release


def _copy_stays(play: Play) -> ReleaseId:
    """The way back waits: stable cannot take anybody, so that users of its copy stay there, too."""
    release = _baking(play)
    play.world.workloads[play.cluster].unready.add(STABLE)
    play.until(lambda: play.now(release).held(HoldKind.STABLE_UNREADY))
    play.tell(release, Abort(ANN))
    play.until(lambda: play.now(release).stay)
    return release


COPY_WAYS: Mapping[str, Callable[[Play], ReleaseId]] = {
    "copy awaited": _copy_awaited,
    "copy about to get its share": _shifting,
    "copy has its share": _baking,
    "copy keeps its share": _copy_stays,
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


HOME_DEEDS: Mapping[str, Deed] = {
    **DEEDS,
    "home is gone": lambda play, release: play.world.workloads[play.cluster].homes.pop(play.target),
    "owners deploy": lambda play, release: _own(play, "hand-1"),
    "workers restart": lambda play, release: play.restart(),
}
"""What can happen where its owners keep a workload of their own."""
HOOK_DEEDS: Mapping[str, Deed] = {
    **{name: DEEDS[name] for name in ("pause", "abort", "promote", "mesh down", "history lost", "superseded")},
    "hooks cannot be reached": lambda play, release: _silenced(play),
    "hook ends": lambda play, release: _ends(play, ok=True),
    "hook fails": lambda play, release: _ends(play, ok=False),
    "workers restart": HOME_DEEDS["workers restart"],
    "time runs out": lambda play, release: play.go(3.0),
}
"""What can happen while a hook runs."""


def _gone(play: Play, release: ReleaseId) -> None:
    play.world.workloads[play.cluster].gone.setdefault(_copy(play, release), play.world.scheduler.monotonic)


def _without_copy(play: Play, release: ReleaseId) -> None:
    """None of it answers for a while; where it was away, it comes."""
    gone, copy = play.world.workloads[play.cluster].gone, _copy(play, release)
    _for_a_while(lambda: _gone(play, release), lambda: gone.pop(copy), play)


COPY_DEEDS: Mapping[str, Deed] = {
    **{name: DEEDS[name] for name in ("abort", "promote", "candidate unready", "stable unready", "mesh down")},
    **{name: DEEDS[name] for name in ("history lost", "superseded", "route stripped")},
    "copy is gone": _without_copy,
    "copy stays away": _gone,
    "workers restart": HOME_DEEDS["workers restart"],
}
"""What can happen beside a copy of stable."""


def _silenced(play: Play) -> None:
    hooks = play.world.hooks[play.cluster]
    _for_a_while(lambda: setattr(hooks, "down", True), lambda: setattr(hooks, "down", False), play)


def _ends(play: Play, *, ok: bool) -> None:
    """Whatever hangs has ended."""
    for made in play.world.hooks[play.cluster].made.values():
        if made.ends > play.world.scheduler.monotonic:
            made.ends, made.ok = play.world.scheduler.monotonic, ok


def _own(play: Play, version: str) -> None:
    play.world.workloads[play.cluster].own(play.target, VersionRef(version, version))


def enact(phase: Phase, deed: str) -> list[str]:
    """Brings a release into the phase, lets it happen, mends everything; what was broken, in words."""
    play = Play()
    play.event(STABLE)
    play.until(lambda: play.world.row(play.target).target.stable)
    return [f"{phase}, {deed}: {text}" for text in _happens(play, WAYS[phase], DEEDS[deed])]


def enact_at_home(way: str, deed: str) -> list[str]:
    """As `enact`, where its owners keep a workload of their own."""
    play = Play(services=("cloning",), service="cloning", cluster="west")
    first = play.event(STABLE)
    play.reach(first, Phase.PROMOTED)
    return [f"{way}, {deed}: {text}" for text in _happens(play, HOME_WAYS[way], HOME_DEEDS[deed])]


def enact_with_hooks(way: str, deed: str) -> list[str]:
    """As `enact`, while a hook runs."""
    play = Play(services=("hooking",), service="hooking", cluster="west")
    play.world.hooks[play.cluster].moods |= dict.fromkeys(("migrate", "warm", "tell"), "passes")
    first = play.event(STABLE)
    play.reach(first, Phase.PROMOTED)
    return [f"{way}, {deed}: {text}" for text in _happens(play, HOOK_WAYS[way], HOOK_DEEDS[deed])]


def enact_with_a_copy(way: str, deed: str) -> list[str]:
    """As `enact`, where candidates are compared with a copy of stable."""
    play = Play(services=("comparing",), service="comparing")
    first = play.event(STABLE)
    play.reach(first, Phase.PROMOTED)
    return [f"{way}, {deed}: {text}" for text in _happens(play, COPY_WAYS[way], COPY_DEEDS[deed])]


def _happens(play: Play, way: Callable[[Play], ReleaseId], deed: Deed) -> list[str]:
    release = way(play)
    play.go(0.1)
    deed(play, release)
    play.go(1.5)
    if play.target not in play.world.workloads[play.cluster].homes and is_cloned(play.service):
        _own(play, STABLE)
    return play.end()
