"""The drain: claim due targets, decide, commit, perform, and so on until nothing can be done at once.

A batch goes through in rounds, one commit and one set of port calls a round for all of its targets. Decisions are
committed before anything follows from them: a verdict stands in the ledger before traffic is reverted.

A turn whose calls take long is set aside and goes on when they are over: nobody waits for it, and what has become due
is claimed meanwhile. Its claim outlasts it, because its time is bounded from the claim on, however many rounds it has.
"""

from collections.abc import Mapping, Sequence

from delivery.engine.cluster import Cluster
from delivery.engine.observe import Observer
from delivery.engine.parts import Parts
from delivery.engine.performer import Performer
from delivery.engine.round import Errand
from delivery.engine.traced import context
from delivery.engine.trail import Trail
from delivery.engine.turn import BATCH, Turn
from delivery.engine.waiting import Waiting
from delivery.engine.working import Working
from delivery.machine.advance import advance
from delivery.machine.change import Change
from delivery.model.event import VerdictChanged
from delivery.model.ids import SECOND, Micros, TargetId
from delivery.model.signal import Confirmed, Due, Signal
from delivery.model.trace import trace_id
from delivery.ports.errors import Unavailable
from delivery.ports.mesh import Seen
from delivery.ports.rows import FARTHEST, Committed, Result, Snapshot, Unit, Wake

LEASE = Micros(8_000_000)  # after a crash somebody else goes on within this
TURN = 6.0
"""Seconds from its claim after which a turn waits for nothing more and begins nothing more."""
CAUTIOUS = 4  # batch of a cluster whose mesh did not answer: it must not hold up the others
ROUNDS = 60
BREATH = 0.02  # between two looks while every turn of the batch waits for its confirmation
RELOADS = 3


class Drain:
    """One drain at a time per instance. `owner` is this life of this process."""

    def __init__(self, parts: Parts, performer: Performer, observer: Observer, owner: str) -> None:
        self._ledger = parts.ledger
        self._clusters = parts.clusters
        self._book = parts.book
        self._salt = parts.ids.salt
        self._clock = parts.clock
        self._telemetry = parts.telemetry
        self._performer = performer
        self._observer = observer
        self._owner = owner
        self._cautious: set[str] = set()
        self._waiting = Waiting(parts.clock)

    def run(self, limit: float) -> int:
        """Drains for at most about `limit` seconds; how many turns were taken. Raises Unavailable of the ledger."""
        try:
            return self._run_all(limit)
        except Unavailable:
            self._observer.forget()  # after a failover a route may be ahead of what is stored
            self._waiting.clear()  # and so may what was read
            raise

    def _run_all(self, limit: float) -> int:
        end = self._clock.monotonic() + limit
        self._observer.run()
        taken = 0
        for name, cluster in self._clusters.items():
            taken += self._run(name, cluster, end)
        return taken

    def _run(self, name: str, cluster: Cluster, end: float) -> int:
        taken = 0
        while (begun := self._clock.monotonic()) < end:
            batch = CAUTIOUS if name in self._cautious else BATCH
            claimed = self._ledger.claim([name], self._owner, LEASE, batch)
            self._waiting.drop(claimed)  # somebody had it go back, which took it from us
            back = self._waiting.back(name)
            if claimed or back:
                self._drain(cluster, claimed, back, begun)
                self._telemetry.observe("drain_seconds", self._clock.monotonic() - begun)
                taken += len(claimed) + len(back)
            if len(claimed) < batch or name in self._cautious:
                break
        return taken or len(self._waiting.of(name))

    def _drain(self, cluster: Cluster, claimed: Sequence[TargetId], back: Sequence[Errand], begun: float) -> None:
        observed = self._observed(cluster) if claimed else {}
        snapshots = self._ledger.load(claimed) if claimed else {}
        self._book.renew({snapshot.row.target.service for snapshot in snapshots.values()})
        turns = [self._turn(cluster, snapshots[one], observed, begun) for one in claimed if one in snapshots]
        try:
            for turn in turns:
                self._decide(turn, (Due(),))
            self._work(cluster, turns + self._hear(back))
        finally:
            aside = {id(errand.turn) for errand in self._waiting.of(cluster.name)}
            self._trace([turn for turn in (*turns, *(one.turn for one in back)) if id(turn) not in aside])

    def _work(self, cluster: Cluster, turns: list[Turn]) -> None:
        for _ in range(ROUNDS):
            turns = self._in_time(self._settle(turns))
            if not turns:
                return
            if all(turn.waits_until is not None for turn in turns):
                self._clock.pause(BREATH)
            committed = [turn for turn in turns if not turn.working.row_changed]
            anew = [turn for turn in turns if turn.working.row_changed]  # what a conflict had decided anew
            turns = anew + self._hear(self._performer.round(cluster, committed, self._waiting))
        self._hand_back(turns)

    def _in_time(self, turns: Sequence[Turn]) -> list[Turn]:
        """Those that have time for another round; the others are claimed again."""
        now = self._clock.monotonic()
        self._hand_back([turn for turn in turns if now >= turn.until])
        return [turn for turn in turns if now < turn.until]

    def _hear(self, errands: Sequence[Errand]) -> list[Turn]:
        """Decides on what came of calls; the turns that go on. The others wait for the rest, and nobody with them.

        A turn goes on without the rest where there is something to store, and where only its route is to be waited for.
        """
        now, going = self._clock.monotonic(), list[Turn]()
        news = [(one, self._performer.took(one, time_is_up=now >= one.turn.until)) for one in errands]
        self._book.renew({one.turn.working.target.service for one, told in news if told})  # calls may have taken long
        for errand, told in news:
            turn = errand.turn
            if told:
                self._decide(turn, told)
            proves = turn.hurries and turn.cluster.name not in errand.awaited()
            if not errand.over and not (turn.working.dirty or turn.lost or proves):
                self._waiting.add(errand)
                continue
            self._performer.leave(errand)
            going.append(turn)
        return going

    def _trace(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            for within, work in turn.trail.works() if turn.trail is not None else ():
                self._telemetry.trace(within, work)

    def _observed(self, cluster: Cluster) -> Mapping[TargetId, Seen]:
        try:
            observed = cluster.mesh.observe()
            self._cautious.discard(cluster.name)
            return observed
        except Unavailable as error:
            self._cautious.add(cluster.name)
            self._telemetry.log("mesh_unavailable", cluster=cluster.name, error=str(error))
        except Exception as error:  # a fault of ours: what is not seen from afar is read
            self._telemetry.log("fault", cluster=cluster.name, error=repr(error))
        return {}

    def _turn(self, cluster: Cluster, snapshot: Snapshot, observed: Mapping[TargetId, Seen], claimed: float) -> Turn:
        target = snapshot.row.target
        begun = max((stored.release.created_at for stored in snapshot.releases.values()), default=Micros(0))
        entry = self._book.since(target.service, begun)
        context = self._book.context(target, recent=True)  # decisions are made in a fresh one
        if snapshot.row.due_at is not None:
            self._telemetry.observe("lateness", max(0, context.now - snapshot.row.due_at) / SECOND)
        working = Working.of(snapshot, self._salt, self._book.audience(target))
        trail = Trail(context.now) if self._telemetry.tracing else None
        return Turn(working, cluster, entry, context, observed.get(target.id), claimed + TURN, trail=trail)

    def _decide(self, turn: Turn, signals: Sequence[Signal]) -> None:
        """Steps the target with each signal. A step that raises takes out this target and no other."""
        turn.context = self._book.context(turn.working.target, recent=True)
        for signal in signals:
            if turn.quarantined and not isinstance(signal, Confirmed):
                continue
            try:
                change = advance(turn.working.world, signal, turn.context)
            except Exception as error:  # whatever it is, the other targets of the batch go on
                self._quarantine(turn, error)
                break
            self._told(turn, change)
            turn.working.apply(change, turn.context.now)
        turn.refresh()

    def _quarantine(self, turn: Turn, error: Exception) -> None:
        self._telemetry.count("quarantined")
        self._telemetry.log("quarantined", target=turn.working.target.id, error=repr(error))
        if turn.trail is not None:
            turn.trail.dropped()
        turn.working.quarantine(repr(error), self._clock.now())

    def _told(self, turn: Turn, change: Change) -> None:
        for move in change.moves:
            name = type(move.event).__name__
            self._telemetry.count("steps", event=name)
            if isinstance(move.event, VerdictChanged):
                judgement = move.event.judgement
                self._telemetry.count("verdicts", gate=judgement.gate, verdict=judgement.verdict.value)
            known: dict[str, object] = {"release": move.after.id, "seq": move.after.seq, "event_type": name}
            if trace := trace_id(context(move.after)):
                known["trace_id"] = trace
            self._telemetry.log("moved", target=turn.working.target.id, **known)
        if turn.trail is not None:
            turn.trail.decided(change.moves, turn.context.now)

    def _settle(self, turns: Sequence[Turn]) -> list[Turn]:
        """Commits what was decided; a turn with nothing more to do hands its claim back in the same commit."""
        units: list[Unit] = []
        going: list[tuple[Turn, bool]] = []
        stay: list[Turn] = []
        for turn in turns:
            now = self._clock.now()
            if turn.lost:
                self._hand_back([turn])
                continue
            wake = self._left(turn, now)
            if wake is not None or turn.working.row_changed or turn.working.alerts:
                units.append(turn.working.unit(self._owner, wake))
                going.append((turn, wake is not None))
            else:
                stay.append(turn)
        results = self._ledger.commit(units) if units else ()
        for (turn, goes), result in zip(going, results, strict=True):
            if self._committed(turn, result) and not (goes and result.result is Result.DONE):
                stay.append(turn)
        return stay

    def _left(self, turn: Turn, now: Micros) -> Wake | None:
        """When the turn is due again, once nothing is left to do. What raises here takes out this target and no other;
        it is looked at again now and then, as a revert may be among what cannot be told.
        """
        try:
            if turn.todo(now):
                return None
            wake = turn.wake(now)
        except Exception as error:
            if not turn.quarantined:
                self._quarantine(turn, error)
            return Wake(Micros(now + FARTHEST), "quarantined: a person", release_claim=True)
        if not turn.faulted:
            turn.working.note_success()
        return wake

    def _committed(self, turn: Turn, result: Committed) -> bool:
        """Whether the turn goes on: after a conflict with what is stored now, unless somebody else has it."""
        if result.result is Result.DONE:
            turn.working.committed()
            if turn.trail is not None:
                turn.trail.stored(self._clock.now())
            return True
        self._telemetry.count("commits_lost", result=result.result.value)
        snapshot = self._ledger.load([turn.working.target.id]).get(turn.working.target.id)
        turn.reloads += 1
        if snapshot is None or snapshot.row.owner != self._owner or turn.reloads > RELOADS:
            return False
        turn.reload(snapshot)
        if result.result is Result.POISON:
            self._quarantine(turn, ValueError(result.error))
        else:
            self._decide(turn, (Due(),))
        return True

    def _hand_back(self, turns: Sequence[Turn]) -> None:
        """Gives claims up without changing anything, to be claimed again at once."""
        if not turns:
            return
        wake = Wake(self._clock.now(), "claimed again", release_claim=True, sooner=True)
        self._ledger.commit([Unit(target=turn.working.target.id, owner=self._owner, wake=wake) for turn in turns])
