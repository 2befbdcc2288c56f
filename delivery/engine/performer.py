"""One round of port calls for a batch of turns, and what each outcome means for its turn."""

from collections.abc import Mapping, Sequence
from functools import partial

from delivery.engine import hook, measure
from delivery.engine.cluster import Cluster
from delivery.engine.counting import Samples
from delivery.engine.fence import Fence
from delivery.engine.measure import Measurer
from delivery.engine.parts import Parts
from delivery.engine.perform import perform
from delivery.engine.task import Done, Published, Task
from delivery.engine.turn import IN_PLACE, POLL, RETRY, Turn
from delivery.model.effect import ConfirmTraffic, Effect, Measure, Rest, Retire, RunHook, WriteTraffic
from delivery.model.event import Phase
from delivery.model.frozen import replace
from delivery.model.hold import HoldKind
from delivery.model.ids import SECOND, Micros
from delivery.model.outward import Topic
from delivery.model.release import Release
from delivery.model.signal import Drifted, HistoryLost, MeshDown, MeshUp, Nacked, Signal, Unconfirmed, WorkloadMissing
from delivery.ports.errors import Unavailable
from delivery.ports.hooks import HookAnswer
from delivery.ports.ledger import FARTHEST, Alert
from delivery.ports.metrics import Sample, Subject, Unread, unread

FAULTS = 5  # faults of ours in a row before a target is quarantined
RETIRE_AGAIN = Micros(10 * SECOND)
Signals = list[tuple[Turn, tuple[Signal, ...]]]


class Performer:
    def __init__(self, parts: Parts, fence: Fence, measurer: Measurer) -> None:
        self._ledger = parts.ledger
        self._slots = parts.slots
        self._clock = parts.clock
        self._telemetry = parts.telemetry
        self._fence = fence
        self._measurer = measurer
        self._published = Published()

    def round(self, cluster: Cluster, turns: Sequence[Turn]) -> Signals:
        """Performs once what each turn has to do now; the turns that it brought news. Reverts get their slots first."""
        now = self._clock.now()
        tasks = [(turn, task) for turn in turns for task in turn.tasks(now)]
        hooks = [(turn, task) for turn, task in tasks if isinstance(task.effect, RunHook)]
        ours = [(turn, task) for turn, task in tasks if not isinstance(task.effect, RunHook)]
        signals = self._called(cluster.name, ours)
        for turn, told in signals:
            turn.failing = turn.failing or any(isinstance(one, MeshDown | Nacked) for one in told)
        signals += self._called(f"hooks of {cluster.name}", hooks)  # last: theirs is no host of ours
        signals += self._measured(cluster, turns)
        return [(turn, news) for turn, told in signals if (news := _steady(turn, told))]

    def _called(self, key: str, tasks: Sequence[tuple[Turn, Task]]) -> Signals:
        jobs = [(key, _urgent(turn), partial(self._perform, task)) for turn, task in tasks]
        results = zip(tasks, self._slots.run(jobs) if jobs else [], strict=True)
        return [(turn, self._took(turn, task, _in_time(task, result))) for (turn, task), result in results]

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

    def _measured(self, cluster: Cluster, turns: Sequence[Turn]) -> Signals:
        now = self._clock.now()
        due = [(turn, effect, _subjects(turn)) for turn in turns if (effect := turn.measure(now)) is not None]
        if not due:
            return []
        samples = self._sample(cluster, [subject for _, _, asked in due for subject in asked if subject])
        signals: Signals = []
        for turn, effect, asked in due:
            sides = tuple(samples[subject] if subject else Sample(now, {}) for subject in asked)
            for one in sides:
                if isinstance(one, Unread):
                    self._telemetry.count("unread", why=one.why.value)
            try:
                signals.append((turn, self._look(turn, effect, sides, now)))
                turn.give_up(effect)
                self._looked(turn, effect, signals[-1][1], now)
            except Exception as error:  # a gate that cannot read its state must not blind the others
                self._faulted(turn, effect, error)
        return signals

    def _looked(self, turn: Turn, effect: Measure, told: tuple[Signal, ...], asked: Micros) -> None:
        if turn.trail is not None:
            turn.trail.looked(_measured_release(turn), effect, told, (asked, self._clock.now()))

    def _sample(self, cluster: Cluster, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        """One call for all, in time; a server that does not answer leaves every side unread, and so does a fault: no
        revert of this round waits for either.
        """
        (found,) = self._slots.run([(f"metrics of {cluster.name}", False, partial(cluster.metrics.sample, subjects))])
        if not isinstance(found, Exception):
            self._telemetry.count("effects", kind="Measure", outcome="done")
            return found
        away = isinstance(found, Unavailable)
        self._telemetry.count("effects", kind="Measure", outcome="unavailable" if away else "fault")
        text = str(found) if away else repr(found)
        self._telemetry.log("metrics_unavailable" if away else "fault", cluster=cluster.name, error=text)
        return dict.fromkeys(subjects, unread(found if isinstance(found, Unavailable) else Unavailable(text)))

    def _look(self, turn: Turn, effect: Measure, samples: Samples, now: Micros) -> tuple[Signal, ...]:
        """`now`: when the samples were asked for. What they have happened before that."""
        before, release = turn.working.measuring, _measured_release(turn)
        mine = before if before is not None and before.release == release.id else None
        mine = mine or self._measurer.begin(release, self._ledger.gates_before(release))
        measuring, measured, segments = self._measurer.look(mine, release, effect, samples, now)
        turn.working.measuring = measuring
        turn.working.segments += segments
        turn.working.ticked = True
        return (measured,) if measured is not None else ()


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


def _measured_release(turn: Turn) -> Release:
    active = turn.working.world.active
    if active is None:
        raise ValueError(f"{turn.working.target.id}: measured without a release")
    return active


def _subjects(turn: Turn) -> tuple[Subject | None, ...]:
    return measure.subjects(_measured_release(turn), turn.working.target.service)


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


def _urgent(turn: Turn) -> bool:
    active = turn.working.world.active
    return active is not None and active.phase is Phase.ROLLING_BACK


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
