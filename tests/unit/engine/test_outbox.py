"""A message is marked as sent before the next one is sent, so that a crash repeats one at most."""

from delivery.engine.answer import Arrival
from delivery.engine.outbox import LEASE, Outbox
from delivery.model.ids import Principal
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.version import VersionRef
from delivery.ports.chat import Post
from delivery.ports.ledger import OutboxState
from tests.simulation.parts import Silent
from tests.simulation.world import World


class Crash(BaseException):
    """The process ends here."""


class Chat:
    def __init__(self, lasts: int) -> None:
        self.told: list[str] = []
        self._lasts = lasts

    def deliver(self, post: Post) -> None:
        self.told.append(f"{post.message.release} {post.message.topic}")
        self._lasts -= 1
        if not self._lasts:
            raise Crash


def asked(world: World, version: str) -> None:
    says = ReleaseRequested("queueing", VersionRef.of(version), Principal("ci"))
    world.inbox().accept([Arrival(Notice("ci", version, version, says), b"{}")])


def sends(world: World, chat: Chat) -> None:
    outbox = Outbox(world.ledger, world.ledger, {"memory": chat}, world.clock, Silent(), "owner")
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
