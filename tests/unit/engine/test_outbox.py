"""A message is marked as sent before the next one is sent, so that a crash repeats one at most."""

from typing import Any

import pytest

from delivery.engine.answer import Arrival
from delivery.engine.outbox import LEASE, Outbox, Receivers
from delivery.model.ids import HOUR, SECOND, Principal
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.version import VersionRef
from delivery.ports.chat import Chat as Port
from delivery.ports.chat import Place, Post
from delivery.ports.errors import Unavailable
from delivery.ports.rows import OutboxState
from tests.simulation.parts import Silent
from tests.simulation.world import World


class Crash(BaseException):
    """The process ends here."""


class Chat:
    def __init__(self, lasts: int) -> None:
        self.told: list[str] = []
        self._lasts = lasts

    def deliver(self, post: Post, place: Place) -> None:
        self.told.append(f"{post.message.release} {post.message.topic}")
        self._lasts -= 1
        if not self._lasts:
            raise Crash


def asked(world: World, version: str) -> None:
    says = ReleaseRequested("queueing", VersionRef.of(version), Principal("ci"))
    world.inbox().accept([Arrival(Notice("ci", version, version, says), b"{}")])


def outbox_of(world: World, chat: Port) -> Outbox:
    return Outbox(
        world.ledger, world.ledger, Receivers({"memory": chat}), world.parts().book, world.clock, Silent(), "owner"
    )


def sends(world: World, chat: Chat) -> None:
    outbox = outbox_of(world, chat)
    try:
        while outbox.run():
            pass
    except Crash:
        return


def test_a_crash_while_sending_repeats_that_message_and_no_other() -> None:
    world = World(0, ("queueing",))
    for version in ("good-1", "good-2", "good-3"):
        asked(world, version)
    wanted = len(world.ledger.outbox(OutboxState.WAITING, 100))
    first, second = Chat(lasts=3), Chat(lasts=-1)
    sends(world, first)
    world.clock.step(LEASE + 1)
    sends(world, second)

    assert wanted > 6
    assert len(first.told) == 3
    assert set(first.told) & set(second.told) == {first.told[-1]}
    assert len(set(first.told) | set(second.told)) == wanted
    assert not world.ledger.outbox(OutboxState.WAITING, 100)


class Away:
    """A chat that does not answer until a moment, and counts how often it was asked."""

    def __init__(self, world: World, until: int) -> None:
        self.asked = 0
        self.told: list[str] = []
        self._world, self._until = world, until

    def deliver(self, post: Post, place: Place) -> None:
        self.asked += 1
        if self._world.clock.now() < self._until:
            raise Unavailable("no route to host")
        self.told.append(f"{post.message.release} {post.message.topic}")


def runs_for(world: World, chat: Away, seconds: int) -> None:
    outbox = outbox_of(world, chat)
    for _ in range(seconds // 10):
        outbox.run()
        world.clock.step(10 * SECOND)


def test_a_chat_that_is_away_for_hours_is_asked_seldom_and_gets_everything_afterwards() -> None:
    world = World(0, ("queueing",))
    for version in ("good-1", "good-2", "good-3"):
        asked(world, version)
    wanted = len(world.ledger.outbox(OutboxState.WAITING, 100))
    chat = Away(world, world.clock.now() + 6 * HOUR)
    runs_for(world, chat, 6 * 3600)
    assert chat.told == []
    assert chat.asked < 6 * 60 + 20, "once a minute, however many messages wait"
    runs_for(world, chat, 120)
    assert len(chat.told) == len(set(chat.told)) == wanted


def test_a_message_that_is_a_day_old_ends_dead_and_says_so() -> None:
    world = World(0, ("queueing",))
    asked(world, "good-1")
    wanted = len(world.ledger.outbox(OutboxState.WAITING, 100))
    runs_for(world, Away(world, world.clock.now() + 48 * HOUR), 25 * 3600)
    dead = world.ledger.outbox(OutboxState.DEAD, 100)
    assert len(dead) == wanted > 0
    assert {row.error for row in dead} == {"no route to host"}
    assert {alert.kind for alert in world.ledger.alerts(100)} == {"outbox_dead"}


class Cut:
    """A ledger whose connection ends just before messages are marked."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def update_outbox(self, *given: object) -> bool:
        raise Unavailable("the connection was cut")


def test_an_alert_is_there_with_the_dead_message_or_not_at_all() -> None:
    world = World(0, ("queueing",))
    asked(world, "good-1")
    chat = Away(world, world.clock.now() + 48 * HOUR)
    world.clock.step(25 * HOUR)
    cut = Cut(world.ledger)
    outbox = Outbox(cut, cut, Receivers({"memory": chat}), world.parts().book, world.clock, Silent(), "owner")
    with pytest.raises(Unavailable):
        outbox.run()
    assert not world.ledger.outbox(OutboxState.DEAD, 100)
    assert not world.ledger.alerts(100)


class Picky(Away):
    """Takes everything but one release's messages, which it never gets through."""

    def deliver(self, post: Post, place: Place) -> None:
        if post.release.number == 1:
            self.asked += 1
            raise Unavailable("thread is odd")
        super().deliver(post, place)


def test_a_message_that_never_gets_through_holds_up_no_other() -> None:
    world = World(0, ("queueing",))
    for version in ("good-1", "good-2", "good-3"):
        asked(world, version)
    waiting = world.ledger.outbox(OutboxState.WAITING, 100)
    wanted = [row for row in waiting if world.ledger.releases([row.release])[row.release].release.number > 1]
    assert 0 < len(wanted) < len(waiting)
    chat = Picky(world, until=0)
    runs_for(world, chat, 600)
    assert len(chat.told) == len(wanted)
