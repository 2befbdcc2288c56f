"""Hooks in memory against the contract."""

import json

import pytest

from delivery.adapters.hooks.memory import MemoryHooks
from delivery.testing.contracts.hooks import HooksContract


class World:
    def __init__(self) -> None:
        self.hooks = self.other = MemoryHooks()
        self.params, self.unknown, self.place = {"name": "migrate"}, {"name": "gone"}, None
        self.hooks.forget("gone", "there is no hook gone")

    def made(self) -> int:
        return len(self.hooks.made)

    def told(self, key: str) -> str:
        return json.dumps(dict(self.hooks.made[key].facts))

    def ends(self, key: str, ok: bool, text: str) -> None:
        self.hooks.ends(key, ok, text)

    def out_of_reach(self, away: bool) -> None:
        self.hooks.down = away

    def until(self, condition) -> None:
        assert any(condition() for _ in range(3))


@pytest.fixture
def world() -> World:
    return World()


class TestHooks(HooksContract):
    pass
