"""One round of port calls for a batch of turns, and what each outcome means for its turn."""

from collections.abc import Sequence
from functools import partial

from delivery.engine import hook
from delivery.engine.cluster import Cluster
from delivery.engine.fence import Fence
from delivery.engine.looking import Looker
from delivery.engine.measure import Measurer
from delivery.engine.parts import Parts
from delivery.engine.perform import perform
from delivery.engine.round import Errand
from delivery.engine.task import Done, Published, Task
from delivery.engine.turn import IN_PLACE, POLL, RETRY, Turn
from delivery.engine.waiting import Waiting
from delivery.model.effect import ConfirmTraffic, Effect, Rest, Retire, RunHook, WriteTraffic
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import SECOND, Micros
from delivery.model.outward import Topic
from delivery.model.signal import Drifted, HistoryLost, MeshDown, MeshUp, Nacked, Signal, Unconfirmed, WorkloadMissing
from delivery.ports.errors import Unavailable
from delivery.ports.hooks import HookAnswer
from delivery.ports.rows import FARTHEST, Alert

PATIENCE = 0.25
"""Seconds for which a round waits for its calls, and for its counters: as long as a lost hint may cost."""
FAULTS = 5  # faults of ours in a row before a target is quarantined
RETIRE_AGAIN = Micros(10 * SECOND)


class Performer:
    def __init__(self, parts: Parts, fence: Fence, measurer: Measurer) -> None:
        self._slots = parts.slots
        self._clock = parts.clock
        self._telemetry = parts.telemetry
        self._fence = fence
        self._looker = Looker(parts, measurer)
        self._published = Published()

    def round(self, cluster: Cluster, turns: Sequence[Turn], waiting: Waiting) -> list[Errand]:
        """Asks once for all that each turn has to do now. Reverts get their slots first, and always have room.

        What has not come back within PATIENCE is left to be taken later. Counters are asked for after the rest: calls
        that come back at once are made faster by one thread after the other.
        """
        now, room = self._clock.now(), waiting.room(cluster.name)
        errands = [Errand(turn, self._clock.monotonic()) for turn in turns]
        asked = [
            (errand, key, task)
            for errand in errands
            for task in errand.turn.tasks(now)
            if room.has(key := _key(cluster.name, task.effect), errand.turn, task.effect)
        ]
        if asked:
            begun = self._slots.begin(
                [(key, errand.turn.urgent, partial(self._perform, task)) for errand, key, task in asked]
            )
            for (errand, key, task), call in zip(asked, begun.calls, strict=True):
                errand.calls.append((key, task, call))
            begun.wait(PATIENCE)
        if (look := self._looker.begin(cluster, errands, room)) is not None:
            look.wait(PATIENCE)
        return errands

    def took(self, errand: Errand, *, time_is_up: bool) -> tuple[Signal, ...]:
        """What the turn is told of the calls that have come back; of all of them, once its time is up."""
        turn, told = errand.turn, list[Signal]()
        for task, result in errand.taken(all_=time_is_up):
            told += self._took(turn, task, _in_time(task, result))
        turn.failing = turn.failing or any(isinstance(one, MeshDown | Nacked) for one in told)
        turn.missing = next((one.looked_for for one in told if isinstance(one, WorkloadMissing)), turn.missing)
        part = errand.part
        if part is not None and (time_is_up or part.look.call.over):
            errand.part = None
            try:
                told += self._looker.took(turn, part)
            except Exception as error:  # a gate that cannot read its state must not blind the others
                self._faulted(turn, part.effect, error)
        return _steady(turn, tuple(told))

    def leave(self, errand: Errand) -> None:
        """The turn goes on without what is still out, which it asks for again in another drain."""
        left = [task.effect for task, _ in errand.taken(all_=True)]
        for effect in (*left, *((errand.part.effect,) if errand.part is not None else ())):
            errand.turn.give_up(effect)
            errand.turn.wake_in = errand.turn.wake_in or POLL
        errand.part = None

    def _perform(self, task: Task) -> Done:
        began, begun = self._clock.now() if self._telemetry.tracing else None, self._clock.monotonic()
        done = perform(task, self._fence, self._published)
        self._telemetry.observe("effect_seconds", self._clock.monotonic() - begun, kind=type(task.effect).__name__)
        return done if began is None else replace(done, times=(began, self._clock.now()))

    def _took(self, turn: Turn, task: Task, result: Done | Exception) -> tuple[Signal, ...]:
        now = self._clock.now()
        kind = type(task.effect).__name__
        if turn.trail is not None:
            turn.trail.performed(task, result, _outcome(result), now)
        if isinstance(result, Exception):
            self._faulted(turn, task.effect, result)
            return ()
        self._count(turn, kind, result)
        turn.took(task.effect, result.row, later=result.later, lost=result.lost)
        turn.working.alerts += _alerts(turn, result, now)
        if isinstance(task.effect, Retire | Rest):
            _let_go(turn, task.effect, result.retired, now)
        if isinstance(task.effect, WriteTraffic) and result.row is not None:
            turn.working.note_pause(result.paused)
            turn.wake_in = RETRY if result.paused else turn.wake_in
        turn.wake_in = _again_in(turn, result)
        if isinstance(task.effect, ConfirmTraffic) and not result.later:
            return self._waits(turn, task.effect, result, now)
        return result.signals

    def _count(self, turn: Turn, kind: str, done: Done) -> None:
        self._telemetry.count("effects", kind=kind, outcome=_outcome(done))
        if done.refused:
            self._telemetry.log("refused", target=turn.working.target.id, effect=kind, error=done.refused)

    def _faulted(self, turn: Turn, effect: Effect, error: Exception) -> None:
        """A fault of ours: it is tried again, and counted against its own target alone."""
        kind = type(effect).__name__
        self._telemetry.count("effects", kind=kind, outcome="fault")
        self._telemetry.log("fault", target=turn.working.target.id, effect=kind, error=repr(error))
        turn.faulted = True
        known = turn.quarantined
        turn.working.note_failure(f"{kind}: {error!r}", self._clock.now(), FAULTS)
        if turn.quarantined and not known:
            self._telemetry.count("quarantined")
        turn.give_up(effect)
        turn.wake_in = RETRY

    def _waits(self, turn: Turn, effect: ConfirmTraffic, result: Done, now: Micros) -> tuple[Signal, ...]:
        """A confirmation that is not there yet: a moment in place, then later; named once the grace time is over."""
        release = turn.release
        if turn.waits_until is None:
            turn.waits_until = Micros(now + IN_PLACE)
        elif now >= turn.waits_until:
            turn.give_up(effect)
            turn.wake_in = POLL
        row = turn.working.row
        if release is None or row.settled is None or row.settled[1:] != (release.id, effect.dseq):
            return result.signals  # not even written yet
        if now - row.written_at >= release.plan.grace and not release.held(HoldKind.STRAGGLERS):
            return (Unconfirmed(effect.dseq, result.missing), *result.signals)
        return result.signals


def _steady(turn: Turn, told: tuple[Signal, ...]) -> tuple[Signal, ...]:
    """A mesh that does one thing and fails at another is not back: said each second, its end would be an alarm."""
    return tuple(one for one in told if not (turn.failing and isinstance(one, MeshUp)))


def _in_time(task: Task, result: Done | Exception) -> Done | Exception:
    """A call that had no slot, or did not come back in time, is no fault of ours, and its outcome is unknown."""
    if not isinstance(result, Unavailable):
        return result
    if isinstance(task.effect, RunHook):
        return hook.told(task.effect, HookAnswer(trouble=str(result)))
    mesh = isinstance(task.effect, WriteTraffic | ConfirmTraffic)
    return Done((MeshDown(str(result)),) if mesh else (), later=True)


def _let_go(turn: Turn, effect: Retire | Rest, done: bool, now: Micros) -> None:
    """Notes on the target that it is done, or that it is to be tried again."""
    target, late = turn.working.target, Micros(now + RETIRE_AGAIN)
    if isinstance(effect, Rest):
        turn.working.retarget(replace(target, resting=None if done else late))
        return
    kept = tuple(
        replace(entry, after=late) if entry.version == effect.version else entry
        for entry in target.retiring
        if not (done and entry.version == effect.version)
    )
    turn.working.retarget(replace(target, retiring=kept))
    for entry in target.retiring:
        if done and entry.version == effect.version and entry.kept_for is not None:
            turn.working.tell(*entry.kept_for, Topic.WINDOW_CLOSED, now)


def _alerts(turn: Turn, result: Done, now: Micros) -> list[Alert]:
    """What no release can say, because none runs: told as alerts."""
    target = turn.working.target.id
    if result.foreign:
        return [Alert(now, "drift", target, result.foreign)]
    if turn.working.target.active is not None:
        return []
    told = {HistoryLost: "history_lost", Drifted: "drift_corrected", Nacked: "mesh_refused"}
    return [Alert(now, told[type(one)], target, str(one)) for one in result.signals if type(one) in told]


def _again_in(turn: Turn, done: Done) -> Micros | None:
    """When what came to nothing is tried again."""
    if turn.release is not None and turn.release.phase.closed and _refused(done):
        return FARTHEST
    if any(isinstance(signal, MeshDown | WorkloadMissing) for signal in done.signals):
        return RETRY if isinstance(done.signals[0], MeshDown) else POLL
    return (turn.wake_in or POLL) if done.overtaken else turn.wake_in


def _refused(done: Done) -> bool:
    return any(isinstance(signal, Nacked) for signal in done.signals)


def _outcome(done: Done | Exception) -> str:
    if isinstance(done, Exception):
        return "fault"
    if done.lost:
        return "lost"
    if done.paused:
        return "paused"
    if done.refused:
        return "refused"
    return type(done.signals[0]).__name__ if done.signals else "done"


def _key(cluster: str, effect: Effect) -> str:
    """Whom the effect asks: none of them takes the slots of another one, least of all those of the mesh."""
    if isinstance(effect, WriteTraffic | ConfirmTraffic):
        return cluster
    return f"hooks of {cluster}" if isinstance(effect, RunHook) else f"workloads of {cluster}"
