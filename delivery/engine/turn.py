"""One target's turn inside a drain: what is left to do now, and when it is due again."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from delivery.engine import measure
from delivery.engine.book import Entry
from delivery.engine.cluster import Cluster
from delivery.engine.perform import Task
from delivery.engine.working import Working
from delivery.machine.wake import wake
from delivery.machine.wants import wants
from delivery.model.context import Context
from delivery.model.effect import ConfirmTraffic, Effect, EnsureWorkload, Measure, PublishBackend, Retire, WriteTraffic
from delivery.model.event import Phase
from delivery.model.ids import SECOND, Micros
from delivery.model.release import Release
from delivery.model.service import OnDrift
from delivery.model.version import VersionRef
from delivery.ports.ledger import FARTHEST, Row, Wake

POLL = Micros(250_000)  # between two questions to proxies or workloads that are not there yet
RETRY = SECOND  # after a mesh that did not answer
IN_PLACE = Micros(300_000)  # how long a drain waits for a confirmation before it goes on to others


@dataclass(slots=True)
class Turn:
    """`tried` has the effects that gave all they can in this drain; a new desired state starts it afresh."""

    working: Working
    cluster: Cluster
    entry: Entry | None
    context: Context
    observed: str | None
    tried: set[Effect] = field(default_factory=set)
    state: tuple[object, ...] = ()
    waits_until: Micros | None = None
    wake_in: Micros | None = None
    reloads: int = 0
    lost: bool = False

    @property
    def release(self) -> Release | None:
        return self.working.live

    @property
    def quarantined(self) -> bool:
        return self.working.row.quarantined is not None

    def took(self, effect: Effect, row: Row | None, *, later: bool, lost: bool) -> None:
        """Notes what performing an effect left behind: the row as the database now has it, and whether to ask again."""
        if row is not None:
            self.working.row = row
        self.lost = self.lost or lost
        self.working.note_success()
        if later:
            self.tried.add(effect)

    def todo(self, now: Micros) -> tuple[Effect, ...]:
        """Standing effects that are to be performed at once."""
        return tuple(effect for effect in self._wanted(now) if effect not in self.tried)

    def tasks(self, now: Micros) -> Iterator[Task]:
        """Everything to do but measuring, which is done for many targets in one call."""
        for effect in self.todo(now):
            if not isinstance(effect, Measure):
                yield self._task(effect)

    def measure(self, now: Micros) -> Measure | None:
        """The tick that is due, if one is."""
        return next((effect for effect in self.todo(now) if isinstance(effect, Measure)), None)

    def wake(self, now: Micros) -> Wake:
        """When to look again, with the reason; urgent while a revert is not confirmed."""
        times: list[tuple[Micros, str]] = []
        active = self.working.world.active
        waits = "a release event"
        if active is not None:
            found = wake(active, self.context)
            waits = found.why
            if found.at is not None:
                times.append((found.at, found.why))
        if self.wake_in is not None:
            times.append((Micros(now + self.wake_in), "the mesh or the workload"))
        if (ticking := self._next_tick(active)) is not None:
            times.append((ticking, "the next measurement"))
        times += [(entry.after, f"{entry.version.version} is retired") for entry in self.working.target.retiring]
        urgent = active is not None and active.phase is Phase.ROLLING_BACK
        if self.quarantined and not urgent:
            return Wake(None, "quarantined: a person", release_claim=True)
        if not times:
            return Wake(None, waits, release_claim=True)
        at, why = min(times)
        return Wake(Micros(min(max(at, now + 1), now + FARTHEST)), why, urgent, release_claim=True)

    def refresh(self, context: Context) -> None:
        """Notes that decisions were taken: with another desired state, effects are tried anew."""
        self.context = context
        release = self.working.world.active or self.release
        state = (release.id, release.phase, release.stage, release.dseq) if release else ()
        if state != self.state:
            self.state = state
            self.tried.clear()
            self.waits_until = self.wake_in = None

    def _wanted(self, now: Micros) -> Iterator[Effect]:
        active, live = self.working.world.active, self.release
        if self.quarantined and (active is None or active.phase is not Phase.ROLLING_BACK):
            return
        for release in (active, live) if active is not live else (active,):
            if release is not None:
                yield from self._of(release, now)
        for entry in self.working.target.retiring:
            if entry.after <= now and not self._in_use(entry.version):
                yield Retire(entry.version)

    def _of(self, release: Release, now: Micros) -> Iterator[Effect]:
        measured = self.working.measuring
        mine = measured if measured is not None and measured.release == release.id else None
        for effect in wants(release, now):
            match effect:
                case PublishBackend():  # comes with its EnsureWorkload
                    continue
                case Measure() if not measure.due(mine, effect, release, now):
                    continue
                case WriteTraffic() | ConfirmTraffic() if self.working.target.paused:
                    continue
            yield effect

    def _next_tick(self, active: Release | None) -> Micros | None:
        measured = self.working.measuring
        if active is None or active.phase is not Phase.BAKING or measured is None or measured.release != active.id:
            return None
        return Micros(measured.at + active.plan.tick)

    def _in_use(self, version: VersionRef) -> bool:
        active = self.working.world.active
        bound = active.bound if active is not None else None
        return version in (self.working.target.stable, *((bound.candidate, bound.stable) if bound else ()))

    def _task(self, effect: Effect) -> Task:
        active = self.working.world.active
        release = active if isinstance(effect, EnsureWorkload) and active is not None else self.release
        service = self.entry.service if self.entry else None
        correct = active is not None or (service is not None and service.policy.on_drift is OnDrift.CORRECT)
        return Task(
            effect,
            self.cluster,
            self.working.row,
            release,
            self.working.heads.get(release.id, "") if release else "",
            service.workload if service else None,
            self.observed,
            correct,
        )
