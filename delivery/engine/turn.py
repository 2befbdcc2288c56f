"""One target's turn inside a drain: what is left to do now, and when it is due again."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from delivery.engine import measure
from delivery.engine.awaited import awaited
from delivery.engine.book import Entry
from delivery.engine.cluster import Cluster
from delivery.engine.fence import in_force
from delivery.engine.task import Task
from delivery.engine.trail import Trail
from delivery.engine.working import Working
from delivery.machine.wake import wake
from delivery.machine.wants import wants
from delivery.model.context import Context
from delivery.model.effect import (
    ConfirmTraffic,
    Effect,
    EnsureWorkload,
    FindStable,
    Measure,
    PromoteWorkload,
    PublishBackend,
    Rest,
    Retire,
    RunHook,
    WriteTraffic,
)
from delivery.model.event import Phase
from delivery.model.frozen import replace
from delivery.model.ids import SECOND, Micros
from delivery.model.release import Release
from delivery.model.service import OnDrift
from delivery.model.target import Retiring, World
from delivery.ports.mesh import Seen
from delivery.ports.rows import FARTHEST, Row, Snapshot, Wake

POLL = Micros(250_000)  # between two questions to proxies or workloads that are not there yet
RETRY = SECOND  # after a mesh that did not answer
IN_PLACE = Micros(300_000)  # how long a drain waits for a confirmation before it goes on to others
BATCH = 100  # turns that are claimed at once


@dataclass(slots=True)
class Turn:
    """`tried` has the effects that gave all they can in this drain; a new desired state starts it afresh.

    `left` are the standing effects of `world` without those: they are asked for many times in a drain. `failing`: the
    mesh failed at something since this turn began. `faulted`: our own code did. `until`: when it is to be over, by the
    monotonic clock, so that the claim outlasts it. `crowded`: how long to wait before what had no room is tried again.
    `missing`: why the candidate is not ready, as this turn found it.
    """

    working: Working
    cluster: Cluster
    entry: Entry | None
    context: Context
    observed: Seen | None
    until: float
    tried: set[Effect] = field(default_factory=set)
    left: tuple[tuple[Release, Effect], ...] = ()
    world: World | None = None
    state: tuple[object, ...] = ()
    waits_until: Micros | None = None
    wake_in: Micros | None = None
    crowded: Micros | None = None
    reloads: int = 0
    lost: bool = False
    failing: bool = False
    faulted: bool = False
    missing: str = ""
    trail: Trail | None = None  # where traces are told

    def __post_init__(self) -> None:
        self._note_pause()

    @property
    def release(self) -> Release | None:
        return self.working.live

    @property
    def quarantined(self) -> bool:
        return self.working.row.quarantined is not None

    @property
    def urgent(self) -> bool:
        """Whether a revert is not confirmed."""
        active = self.working.world.active
        return active is not None and active.phase is Phase.ROLLING_BACK

    @property
    def hurries(self) -> bool:
        """Whether it has a way back to prove, which waits for nothing but its route."""
        active = self.working.world.active
        return self.urgent and active is not None and not active.stay and active.confirmed != active.dseq

    def took(self, effect: Effect, row: Row | None, *, later: bool, lost: bool) -> None:
        """Notes what performing an effect left behind: the row as the database now has it, and whether to ask again."""
        if row is not None:
            known = self.working.row  # faults of other effects were noted since this one began
            self.working.row = replace(row, failures=known.failures, quarantined=known.quarantined)
        self.lost = self.lost or lost
        if later:
            self.give_up(effect)

    def give_up(self, effect: Effect) -> None:
        """Nothing more is to be had from the effect in this drain."""
        self.tried.add(effect)
        self.left = tuple(pair for pair in self.left if pair[1] != effect)

    def put_off(self, effect: Effect, again: Micros) -> None:
        """Whoever is to be asked has enough to answer: later, without anything being said against it."""
        self.give_up(effect)
        self.crowded = max(again, self.crowded or again)

    def reload(self, snapshot: Snapshot) -> None:
        """Goes on from what is stored now; what was decided since is dropped."""
        self.working = Working.of(snapshot, self.working.salt, self.working.audience)
        if self.trail is not None:
            self.trail.dropped()
        self._note_pause()
        self.afresh()

    def afresh(self) -> None:
        """Everything may be tried again."""
        self.tried.clear()
        self.world = None

    def todo(self, now: Micros) -> tuple[Effect, ...]:
        """Standing effects that are to be performed at once."""
        return tuple(self._wanted(now))

    def tasks(self, now: Micros) -> Iterator[Task]:
        """Everything to do but measuring, which is done for many targets in one call."""
        todo = self._this_round(now)
        writes = any(isinstance(effect, WriteTraffic) for effect in todo)
        for effect in todo:
            if isinstance(effect, ConfirmTraffic) and (writes or not self._written(effect)):
                self._confirm_later(effect, writes)
            elif not isinstance(effect, Measure):
                yield self._task(effect, now)

    def _this_round(self, now: Micros) -> tuple[Effect, ...]:
        """No write where the route is known to be as it should be."""
        todo = self.todo(now)
        kept = [effect for effect in todo if isinstance(effect, WriteTraffic)] if self._in_force() else []
        for effect in kept:
            self.give_up(effect)
        return tuple(effect for effect in todo if effect not in kept)

    def _written(self, effect: ConfirmTraffic) -> bool:
        """Whether our own write is known to be stored. Before that, what proxies run proves nothing: where commits were
        lost, it may carry a number that is being used again.
        """
        settled, live = self.working.row.settled, self.release
        return live is not None and settled is not None and settled[1:] == (live.id, effect.dseq)

    def _confirm_later(self, effect: ConfirmTraffic, writes: bool) -> None:
        """After the write of this round; in another drain where there was none."""
        if not writes:
            self.give_up(effect)
            self.wake_in = self.wake_in or POLL

    def measure(self, now: Micros) -> Measure | None:
        """The tick that is due, if one is."""
        return next((effect for effect in self.todo(now) if isinstance(effect, Measure)), None)

    def wake(self, now: Micros) -> Wake:
        """When to look again, with the reason; urgent while a revert is not confirmed."""
        active = self.working.world.active
        found = wake(active, replace(self.context, now=now)) if active is not None else None
        times = [*self._times(now)]
        if found is not None and found.at is not None:
            times.append((found.at, found.why))
        if self.quarantined and not self.urgent:
            return Wake(None, "quarantined: a person", release_claim=True)
        if not times:
            return Wake(None, found.why if found is not None else "a release event", release_claim=True)
        if self.crowded is not None:  # what is due already had no room
            again = Micros(now + self.crowded)
            times = [
                (at if at > now else again, why) for at, why in (*times, (again, "others' calls, which take long"))
            ]
        at, why = min(times)
        if active is not None and found is not None:
            why = awaited(active, found.why, self.missing) or why
        if self.working.target.in_hand is not None:  # what ends that is told, or read once in a while
            at = max(at, Micros(now + RETRY))
        return Wake(Micros(min(max(at, now + 1), now + FARTHEST)), why, self.urgent, release_claim=True)

    def _times(self, now: Micros) -> Iterator[tuple[Micros, str]]:
        """When there is something to do that no rule knows of."""
        if self.wake_in is not None:
            yield Micros(now + self.wake_in), "the mesh or the workload"
        if (ticking := self._next_tick(self.working.world.active)) is not None:
            yield ticking, "the next measurement"
        yield from ((at, why) for at, why, _ in self._leaving())

    def refresh(self) -> None:
        """Notes that decisions were taken: with another desired state, effects are tried anew."""
        release = self.working.world.active or self.release
        state: tuple[object, ...] = ()
        if release is not None:
            state = (release.id, release.phase, release.stage, release.dseq, release.ceiling, release.home)
        if state != self.state:
            self.state = state
            self.afresh()
            self.waits_until = self.wake_in = self.crowded = None
            self.missing = ""

    def _wanted(self, now: Micros) -> Iterator[Effect]:
        if self.quarantined and not self.urgent:
            return
        if self.world is not self.working.world:
            self.world, self.left = self.working.world, tuple(self._standing(now))
        for release, effect in self.left:
            if self._timely(release, effect, now):
                yield effect
        yield from (effect for at, _, effect in self._leaving() if at <= now and effect not in self.tried)

    def _leaving(self) -> Iterator[tuple[Micros, str, Retire | Rest]]:
        """What may be let go, from when on, and how that is told. Nothing while a person has the routes."""
        target = self.working.target
        if target.in_hand is not None:
            return
        for entry in target.retiring:
            if not self._in_use(entry):
                yield entry.after, f"{entry.version.version} is retired", Retire(entry.version)
        if target.resting is not None and self.working.world.active is None:
            yield target.resting, "what was kept from shrinking may shrink", Rest()

    def _standing(self, now: Micros) -> Iterator[tuple[Release, Effect]]:
        """What the active release wants, and the one whose traffic is live; a backend comes with its workload."""
        active, live = self.working.world.active, self.release
        for release in (active, live) if active is not live else (active,):
            if release is not None:
                for effect in wants(release, now):
                    if not isinstance(effect, PublishBackend) and effect not in self.tried:
                        yield release, effect

    def _timely(self, release: Release, effect: Effect, now: Micros) -> bool:
        match effect:
            case Measure():
                measured = self.working.measuring
                mine = measured if measured is not None and measured.release == release.id else None
                return measure.due(mine, effect, release, now)
            case WriteTraffic():  # what is not seen from afar is read, so that its end is seen
                return self.working.target.paused is None and not (self.observed and self.observed.paused)
            case ConfirmTraffic() | PromoteWorkload():
                return self.working.target.in_hand is None
        return True

    def _in_force(self) -> bool:
        """Whether the route is known to be as it should be, so that nothing has to be asked."""
        live = self.release
        return live is not None and not self._outage() and in_force(self.working.row, live, self._content)

    def _note_pause(self) -> None:
        """A pause that is seen from afar counts. That it has ended is read: what is seen may be behind that."""
        if self.observed is not None and (self.observed.paused is not None or self.release is None):
            self.working.note_pause(self.observed.paused)

    @property
    def _content(self) -> str | None:
        """What is seen of the route; nothing where a read is to tell whether a pause has ended."""
        if self.observed is None or self.working.target.paused_there is not None:
            return None
        return self.observed.content

    def _outage(self) -> bool:
        """Whether the last that was told of the mesh is that it fails."""
        told = self.working.world.active or self.release
        return told is not None and told.mesh_failing

    def _next_tick(self, active: Release | None) -> Micros | None:
        measured = self.working.measuring
        if active is None or active.phase is not Phase.BAKING or measured is None or measured.release != active.id:
            return None
        return Micros(measured.at + active.plan.tick)

    def _in_use(self, entry: Retiring) -> bool:
        """Whether something may still send to it; stable itself, in its owners' own workload, needs no copy of ours."""
        active = self.working.world.active
        bound = active.bound if active is not None else None
        if entry.copy:
            return bound is not None and entry.version == bound.candidate
        return entry.version in (self.working.target.stable, *((bound.candidate, bound.stable) if bound else ()))

    def _task(self, effect: Effect, now: Micros) -> Task:
        active = self.working.world.active
        own = isinstance(effect, EnsureWorkload | FindStable | PromoteWorkload | RunHook)
        release = active if own and active is not None else self.release
        service = self.entry.service if self.entry else None
        correct = active is not None or (service is not None and service.policy.on_drift is OnDrift.CORRECT)
        return Task(
            effect,
            self.cluster,
            self.working.row,
            release,
            self.working.heads.get(release.id, "") if release else "",
            service.workload_in(self.cluster.name) if service else None,
            self._content,
            correct,
            self._outage(),
            now,
        )
