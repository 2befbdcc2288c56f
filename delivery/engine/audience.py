"""Who is told of what a target's decisions make: people in channels, and other systems."""

from collections.abc import Iterator
from dataclasses import dataclass

from delivery.machine.announce import announce
from delivery.machine.change import Move
from delivery.machine.outward import topic
from delivery.model.ids import Micros, ReleaseId
from delivery.model.outward import Subscriber, Topic
from delivery.ports.rows import Outgoing


@dataclass(frozen=True, slots=True)
class Audience:
    """`channels` as the service file names them; `subscribers` of the server's configuration that are concerned."""

    channels: tuple[str, ...] = ()
    subscribers: tuple[Subscriber, ...] = ()

    def hears(self, move: Move, now: Micros) -> Iterator[Outgoing]:
        """The rows of the outbox that an event makes."""
        for message in announce(move.before, move.event, move.after):
            for channel in self.channels:
                key = f"{message.release}:{message.seq}:{channel}"
                yield Outgoing(key, channel, message.release, message.seq, message.topic, now, call=message.call)
        said = topic(move.before, move.event, move.after)
        if said is not None:
            yield from self.told(move.after.id, move.after.seq, said, now)

    def told(self, release: ReleaseId, seq: int, said: Topic, now: Micros) -> Iterator[Outgoing]:
        """The rows of subscribers to this topic."""
        for one in self.subscribers:
            if one.wants(said):
                key = f"{release}:{seq}:{one.channel}{said.value}"
                yield Outgoing(key, one.channel, release, seq, said.value, now)


SILENT = Audience()
"""Nobody is told anything."""
