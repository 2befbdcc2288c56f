"""What every Hooks adapter has to do."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import pytest

from delivery.model.ids import SECOND, HookId, Micros, target_id
from delivery.model.place import Place
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.hooks import LONGEST_WORDS, HookAnswer, HookCall, Hooks

CANDIDATE = VersionRef("1.4.2", "sha256:bbb", "registry.example/checkout:1.4.2")
CALL = HookCall(
    key="rel_01JD-migrate-start-1",
    target=target_id("checkout", "local"),
    hook=HookId("migrate"),
    begun=Micros(1_795_514_531_000_000),
    timeout=Micros(300 * SECOND),
    candidate=CANDIDATE,
    params={},
    facts={"hook": "migrate", "step": "start", "attempt": 1, "service": "checkout", "version": "1.4.2"},
)


class World(Protocol):
    """Hooks with something to call; made afresh for every test."""

    @property
    def params(self) -> Mapping[str, object]: ...

    @property
    def unknown(self) -> Mapping[str, object]:
        """Of something that is not there; `gone` is in its name."""

    @property
    def place(self) -> Place | None: ...

    @property
    def hooks(self) -> Hooks: ...

    @property
    def other(self) -> Hooks:
        """The same, as another worker has it."""

    def made(self) -> int:
        """How many attempts were really made."""

    def told(self, key: str) -> str:
        """What the attempt was told it is about, as text."""

    def ends(self, key: str, ok: bool, text: str) -> None:
        """What is being done ends."""

    def out_of_reach(self, away: bool) -> None: ...

    def until(self, condition: Callable[[], bool]) -> None:
        """Returns when it holds; fails after a time that no healthy machine needs."""


class HooksContract:
    """A subclass has a fixture `world`."""

    def test_an_attempt_is_made_and_nobody_waits_for_its_end(self, world: World) -> None:
        assert world.hooks.run(call(world)).ok is None
        world.until(lambda: world.made() == 1)

    def test_asked_again_it_is_made_once(self, world: World) -> None:
        for hooks in (world.hooks, world.other, world.hooks, world.other):
            assert hooks.run(call(world)).ok is None
        world.until(lambda: world.made() == 1)

    def test_success_is_told_with_its_words_by_whoever_asks(self, world: World) -> None:
        world.hooks.run(call(world))
        world.ends(CALL.key, True, "12 checks passed")
        assert ended(world, world.other) == HookAnswer(True, ended(world, world.hooks).words)
        assert world.made() == 1

    def test_failure_is_told_with_its_words(self, world: World) -> None:
        world.hooks.run(call(world))
        world.ends(CALL.key, False, "no such table: orders")
        found = ended(world, world.other)
        assert found.ok is False
        assert "no such table: orders" in found.words
        assert ended(world, world.hooks) == found

    def test_another_attempt_is_made_anew(self, world: World) -> None:
        world.hooks.run(call(world))
        world.ends(CALL.key, False, "busy")
        assert ended(world, world.hooks).ok is False
        again = "rel_01JD-migrate-start-2"
        assert world.hooks.run(call(world, key=again)).ok is None
        world.until(lambda: world.made() == 2)
        world.ends(again, True, "done")
        assert ended(world, world.hooks, key=again).ok is True

    def test_it_is_told_what_it_is_about(self, world: World) -> None:
        world.hooks.run(call(world))
        world.until(lambda: world.made() == 1)
        for fact in ("checkout", "1.4.2", "migrate"):
            assert fact in world.told(CALL.key)

    def test_what_is_not_there_is_refused_by_name(self, world: World) -> None:
        with pytest.raises(Refused, match="gone"):
            world.hooks.run(call(world, params=world.unknown))
        assert world.made() == 0

    def test_out_of_reach_nothing_is_known_and_later_it_goes_on(self, world: World) -> None:
        world.hooks.run(call(world))
        world.until(lambda: world.made() == 1)
        world.out_of_reach(True)
        world.until(lambda: _unavailable(world))
        world.ends(CALL.key, True, "done")
        world.out_of_reach(False)
        assert ended(world, world.other).ok is True
        assert world.made() == 1

    def test_its_words_fit_into_a_message(self, world: World) -> None:
        world.hooks.run(call(world))
        world.ends(CALL.key, False, "no room left " * 200)
        found = ended(world, world.other)
        assert len(found.words) <= LONGEST_WORDS
        assert "\n" not in found.words


def call(world: World, **changes: object) -> HookCall:
    asked: Mapping[str, object] = {"params": world.params, "place": world.place, **changes}
    return replace(CALL, **asked)  # type: ignore[arg-type]


def ended(world: World, hooks: Hooks, **changes: object) -> HookAnswer:
    """What is said of an attempt once it has ended."""
    found: list[HookAnswer] = []

    def over() -> bool:
        try:
            answer = hooks.run(call(world, **changes))
        except Unavailable:
            return False
        found.append(answer)
        return answer.ok is not None

    world.until(over)
    return found[-1]


def _unavailable(world: World) -> bool:
    try:
        world.hooks.run(call(world))
    except Unavailable:
        return True
    return False
