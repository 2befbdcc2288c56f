"""Mistakes in the engine's own code and in the machine's rules."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import patch

from delivery.engine import inbox, measure, performer
from delivery.engine.drain import TURN, Drain
from delivery.engine.fence import Fence, Fenced, Outcome
from delivery.engine.reception import Reception
from delivery.engine.turn import Turn
from delivery.engine.waiting import Waiting
from delivery.engine.working import Working
from delivery.machine import advance
from delivery.machine.change import Change
from delivery.machine.rules import common, outside
from delivery.machine.step import steps
from delivery.model.event import Cause, Closed, Phase, PromotionBegun
from delivery.model.release import Release
from delivery.model.traffic import Traffic
from delivery.ports.errors import Conflict
from delivery.ports.mesh import Live, Stamp
from delivery.ports.rows import Result, Unit, Wake
from tests.simulation.parts import SimMesh

FACT_RULES = ("measuring", "mesh", "outside", "people", "progress", "workload", "holds")


def performed(drain: Drain, turn: Turn) -> None:
    """All that the turn wants is done before anything else is."""
    drain._performer.round(turn.cluster, [turn], Waiting(drain._clock))


@contextmanager
def effects_first() -> Iterator[None]:
    """Effects follow from a decision before it is committed."""
    decide = Drain._decide

    def at_once(self: Drain, turn: Turn, signals: Sequence[Any]) -> None:
        decide(self, turn, signals)
        if turn.working.row_changed:
            performed(self, turn)

    with patch.object(Drain, "_decide", at_once):
        yield


@contextmanager
def revert_only_if(may: Callable[[Release], bool]) -> Iterator[None]:
    """A way back waits for something."""

    def held(release: Release, *rest: Any, **more: Any) -> Any:
        return common.revert(release, *rest, **more) if may(release) else ()

    with ExitStack() as stack:
        for name in FACT_RULES:
            module = import_module(f"delivery.machine.rules.{name}")
            if hasattr(module, "revert"):
                stack.enter_context(patch.object(module, "revert", held))
        yield


@contextmanager
def revert_obeys_holds() -> Iterator[None]:
    """A way back waits, as a way up does."""
    with revert_only_if(lambda release: not release.holds):
        yield


@contextmanager
def revert_waits_for_metrics() -> Iterator[None]:
    """A batch waits for all of its calls, also for those that take long."""
    with patch.object(performer, "PATIENCE", TURN):
        yield


@contextmanager
def claim_stays() -> Iterator[None]:
    """An order to go back leaves the claim to whoever has it, who may be waiting."""
    woken = inbox._woken

    def patient(working: Working, wake: Wake) -> Wake:
        return replace(woken(working, wake), release_claim=False)

    with patch.object(inbox, "_woken", patient):
        yield


@contextmanager
def successor_at_once() -> Iterator[None]:
    """A superseded release is closed without waiting until it is proven to be at 0."""

    def closed(release: Release, at: Any, cause: Cause, then: Phase | None = None) -> Any:
        if then is Phase.SUPERSEDED:
            return (Closed(at=at, phase=Phase.SUPERSEDED, cause=cause),)
        return common.revert(release, at, cause, then)

    with patch.object(outside, "revert", closed):
        yield


@contextmanager
def skips_equal() -> Iterator[None]:
    """A write is skipped where live equals desired, whoever wrote it, and is proven where every proxy runs its like."""
    write, confirm = Fence._write, SimMesh.confirm
    skipped: dict[tuple[Any, ...], tuple[Traffic, Stamp]] = {}

    def skipping(self: Fence, mesh: Any, row: Any, order: Any, live: Live, drift: str) -> Outcome:
        wanted, found = order.route.traffic, mesh._port.stored(row.target.id)  # behind the switch
        same = found is not None and (found.route.traffic, found.route.stable) == (wanted, order.route.stable)
        if not same or found.stamp is None:
            return write(self, mesh, row, order, live, drift)
        stamp = Stamp(row.epoch, order.release.id, order.release.dseq, order.release.seq, order.head)
        skipped[(row.target.id, *order.token)] = (wanted, stamp)
        settled = (row.epoch, *order.token)
        self._ledger.settle(row.target.id, self._owner, settled, live.content, self._clock.now())
        return Outcome(Fenced.WRITTEN, replace(row, settled=settled, content=live.content), live=live)

    def trusting(self: SimMesh, *token: Any) -> Any:
        found = confirm(self, *token)
        if token not in skipped:
            return found
        wanted, stamp = skipped[token]
        if any(self.traffic(token[0], name) != wanted for name in self.proxies):
            return found
        self.proven[token] = (stamp,)
        return replace(found, proven=True, missing=(), refused=None)

    with patch.object(Fence, "_write", skipping), patch.object(SimMesh, "confirm", trusting):
        yield


@contextmanager
def no_head_check() -> Iterator[None]:
    """Whether the route knows more than the database is not asked."""
    with patch.object(Fence, "_ahead", lambda self, live: False):
        yield


@contextmanager
def reads_after_the_check() -> Iterator[None]:
    """The route is read once more after the database was asked, so that the write expects what others wrote since."""

    def write(self: Fence, mesh: Any, row: Any, order: Any, live: Live, drift: str) -> Outcome:
        row = self._own(row, live)
        if not self._ledger.holds(row.target.id, self._owner, row.version):
            return Outcome(Fenced.LOST, row)
        live = mesh.read(row.target.id)
        stamp = Stamp(row.epoch, order.release.id, order.release.dseq, order.release.seq, order.head)
        try:
            written = mesh.write(order.route, stamp, live.revision)
        except Conflict:
            return Outcome(Fenced.LOST, row)
        settled = (row.epoch, *order.token)
        if not self._ledger.settle(row.target.id, self._owner, settled, written.content, self._clock.now()):
            return Outcome(Fenced.LOST, row)
        return Outcome(Fenced.WRITTEN, replace(row, settled=settled, content=written.content), drift=drift, live=live)

    with patch.object(Fence, "_write", write):
        yield


@contextmanager
def two_commits() -> Iterator[None]:
    """A release is closed by one commit, and the next one started by another."""
    committed, tell = Drain._committed, advance.tell

    def alone(world: Any, release: Any, signal: Any, context: Any) -> Change:
        change = tell(world, release, signal, context)
        ends = [number for number, move in enumerate(change.moves) if move.after.phase.closed]
        if not ends or len(change.moves) == ends[0] + 1:
            return change
        return advance.taken(world, steps(world.releases[release], signal, context))

    def then_the_next(self: Drain, turn: Turn, result: Any) -> bool:
        goes_on = committed(self, turn, result)
        target = turn.working.target
        if result.result is Result.DONE and target.active is None and target.queue:
            change = advance.start_next(Change(turn.working.world), turn.context)
            turn.working.apply(change, turn.context.now)
            self._ledger.commit([turn.working.unit(self._owner, Wake(turn.context.now, "started"))])
            turn.working.committed()
        return goes_on

    with patch.object(advance, "tell", alone), patch.object(Drain, "_committed", then_the_next):
        yield


@contextmanager
def no_op_moves_the_version() -> Iterator[None]:
    """What changes nothing is stored with the row nevertheless."""
    admit = Reception._admit

    def noted(self: Reception, part: Any, working: Working, entries: Any) -> Any:
        answer = admit(self, part, working, entries)
        if answer.outcome == "no_op":
            working.row_changed = True
        return answer

    with patch.object(Reception, "_admit", noted):
        yield


@contextmanager
def bakes_by_the_wall() -> Iterator[None]:
    """A bake is over when the clock on the wall says so."""
    with patch.object(measure, "CAP", 10**9):
        yield


@contextmanager
def pointer_moves_early() -> Iterator[None]:
    """The candidate counts as stable as soon as it is to have everything."""
    taken = advance.taken

    def early(world: Any, moves: Sequence[Any]) -> Change:
        change = taken(world, moves)
        if moves and any(isinstance(move.event, PromotionBegun) for move in moves):
            target = replace(change.world.target, stable=moves[-1].after.candidate)
            return Change(replace(change.world, target=target), change.moves)
        return change

    with patch.object(advance, "taken", early):
        yield


@contextmanager
def backs_off_for_ever() -> Iterator[None]:
    """A fault of ours is tried again a while later, however often it was."""
    note = Working.note_failure

    def again(self: Working, error: str, now: Any, limit: int) -> None:
        note(self, error, now, 10**9)

    with patch.object(Working, "note_failure", again):
        yield


@contextmanager
def cleans_up_at_the_end() -> Iterator[None]:
    """Whoever drains hands its claims back in `finally`, and so may hold them long."""
    drain = Drain._drain

    def careful(self: Drain, cluster: Any, claimed: Sequence[Any], *rest: Any) -> None:
        try:
            drain(self, cluster, claimed, *rest)
        finally:
            back = Wake(self._clock.now(), "handed back", release_claim=True, sooner=True)
            self._ledger.commit([Unit(target=target, owner=self._owner, wake=back) for target in claimed])

    with patch.object(Drain, "_drain", careful):
        yield
