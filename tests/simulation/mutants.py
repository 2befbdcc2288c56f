"""Mistakes put into the engine on purpose. Each must break an invariant, or the world is too small to find it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from delivery.engine.drain import Drain
from delivery.engine.fence import Fence, Fenced, Outcome
from delivery.engine.turn import Turn
from delivery.machine.rules import common, mesh, outside
from delivery.model.event import Cause, Closed, Phase
from delivery.model.release import Release
from delivery.ports.ledger import Committed, Unit
from delivery.ports.mesh import Confirmation, Live, Route, Stamp
from delivery.strategies.plan import compile_plan
from delivery.wiring import parse
from tests.simulation.world import Wrap, document


def _unwrapped(port: Any, name: str) -> Any:
    return port


@dataclass(frozen=True)
class Mutant:
    """`wrap` stands between the engine and a port, `patched` changes the engine's own code while a schedule runs."""

    name: str
    wrap: Wrap = _unwrapped
    patched: Callable[[], Any] | None = None


class Over:
    """A port with some of its methods replaced."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class NoCheck(Over):
    """The fence does not ask the database again before it writes."""

    def holds(self, *_: Any) -> bool:
        return True


class BlindPut(Over):
    """Expects whatever is there by then."""

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        return self._port.write(route, stamp, self._port.read(route.target).revision)  # type: ignore[no-any-return]


class ConfirmWithoutToken(Over):
    """Takes any answer of the proxies as the proof."""

    def confirm(self, *token: Any) -> Confirmation:
        return replace(self._port.confirm(*token), proven=True, missing=(), refused=None)


class OutboxOutside(Over):
    """Messages are stored by a commit of their own, after the decision."""

    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        done = self._port.commit([replace(unit, outbox=()) for unit in units])
        late = [Unit(outbox=unit.outbox) for unit in units if unit.outbox]
        if late:
            self._port.commit(late)
        return done  # type: ignore[no-any-return]


class PlanAgain(Over):
    """The plan is compiled anew from the service file whenever a release is loaded."""

    def load(self, targets: Any) -> Any:
        found = self._port.load(targets)
        return {key: replace(snapshot, releases=_replanned(key, snapshot.releases)) for key, snapshot in found.items()}


def _replanned(target: str, releases: Any) -> Any:
    changed = {**document(target.partition("@")[0]), "strategies": [{"canary": {"steps": ["40%"], "bake": "2s"}}]}
    plan = compile_plan(parse(changed))
    return {key: replace(stored, release=replace(stored.release, plan=plan)) for key, stored in releases.items()}


def _only(kind: type, name: str) -> Wrap:
    return lambda port, port_name: kind(port) if port_name == name else port


@contextmanager
def _effects_first() -> Iterator[None]:
    """Effects follow from a decision before it is committed."""
    settle = Drain._settle

    def late(self: Drain, turns: Sequence[Turn]) -> list[Turn]:
        now = self._clock.now()
        waiting = [turn for turn in turns if turn.working.row_changed and turn.todo(now)]
        return waiting + settle(self, [turn for turn in turns if turn not in waiting])

    with patch.object(Drain, "_settle", late):
        yield


@contextmanager
def _revert_obeys_holds() -> Iterator[None]:
    original = common.revert

    def held(release: Release, *rest: Any, **more: Any) -> Any:
        return () if release.holds else original(release, *rest, **more)

    modules = ("measuring", "mesh", "outside", "people", "progress", "workload", "holds")
    with _patched_everywhere("revert", held, modules):
        yield


@contextmanager
def _patched_everywhere(name: str, value: Any, modules: Sequence[str]) -> Iterator[None]:
    from contextlib import ExitStack
    from importlib import import_module

    with ExitStack() as stack:
        for module in modules:
            loaded = import_module(f"delivery.machine.rules.{module}")
            if hasattr(loaded, name):
                stack.enter_context(patch.object(loaded, name, value))
        yield


@contextmanager
def _successor_at_once() -> Iterator[None]:
    """A superseded release is closed without waiting until it is proven to be at 0."""

    def closed(release: Release, at: Any, cause: Cause, then: Phase | None = None) -> Any:
        if then is Phase.SUPERSEDED:
            return (Closed(at=at, phase=Phase.SUPERSEDED, cause=cause),)
        return common.revert(release, at, cause, then)

    with patch.object(outside, "revert", closed):
        yield


@contextmanager
def _skips_equal() -> Iterator[None]:
    """A write is skipped where live equals desired, whoever wrote it."""
    write = Fence._write

    def skipping(self: Fence, port: Any, row: Any, order: Any, live: Live, drift: str) -> Outcome:
        wanted = order.route.traffic
        if live.stamp is not None and live.weight == wanted.weight and not wanted.rules and wanted.mirror is None:
            settled = (row.epoch, *order.token)
            return Outcome(Fenced.WRITTEN, replace(row, settled=settled, content=live.content), live=live)
        return write(self, port, row, order, live, drift)

    with patch.object(Fence, "_write", skipping):
        yield


@contextmanager
def _no_head_check() -> Iterator[None]:
    with patch.object(Fence, "_ahead", lambda self, live: False):
        yield


@contextmanager
def _nacked_goes_on() -> Iterator[None]:
    """A proxy's refusal is taken for a confirmation."""
    with patch.object(mesh, "refused", lambda release, signal, context: ()):
        yield


MUTANTS: tuple[Mutant, ...] = (
    Mutant("fence check removed", _only(NoCheck, "ledger")),
    Mutant("blind PUT", _only(BlindPut, "mesh")),
    Mutant("confirm without token", _only(ConfirmWithoutToken, "mesh")),
    Mutant("outbox outside the commit", _only(OutboxOutside, "ledger")),
    Mutant("plan recompiled on load", _only(PlanAgain, "ledger")),
    Mutant("verdict not committed before the revert", patched=_effects_first),
    Mutant("revert obeys holds", patched=_revert_obeys_holds),
    Mutant("successor starts before 0 is confirmed", patched=_successor_at_once),
    Mutant("write skipped when live equals desired", patched=_skips_equal),
    Mutant("no head check after failover", patched=_no_head_check),
)
