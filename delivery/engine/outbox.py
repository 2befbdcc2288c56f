"""Sending what decisions left in the outbox: messages to people. Traffic never waits for it."""

from collections.abc import Mapping
from dataclasses import replace

from delivery.machine.announce import announce
from delivery.machine.evolve import evolve
from delivery.model.codec import unseal
from delivery.model.ids import SECOND, Micros
from delivery.ports.chat import Chat, Post
from delivery.ports.clock import Clock
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.history import History
from delivery.ports.ledger import FARTHEST, Alert, Ledger, OutboxState, Outgoing, Unit
from delivery.ports.telemetry import Telemetry

LEASE = Micros(30 * SECOND)
TURN = 1.0  # seconds after which nothing more is begun, so that a shutdown need not wait
ATTEMPTS = 12  # the waits in between add up to about 8 minutes


class Outbox:
    """`chats` are adapters by the name that a channel starts with: "slack:#checkout" goes to "slack"."""

    def __init__(
        self,
        ledger: Ledger,
        history: History,
        chats: Mapping[str, Chat],
        clock: Clock,
        telemetry: Telemetry,
        owner: str,
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._chats = chats
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner

    def run(self) -> int:
        """Sends what is due; how many rows were handled. A row that fails holds up no other.

        One at a time: what is claimed and not yet marked as sent is sent twice by a crash, so that is never more than
        one message.
        """
        end, handled = self._clock.monotonic() + TURN, 0
        while self._clock.monotonic() < end:
            rows = self._ledger.claim_outbox(self._owner, LEASE, 1)
            if not rows:
                break
            self._ledger.update_outbox([self._send(row) for row in rows])
            handled += len(rows)
        return handled

    def _send(self, row: Outgoing) -> Outgoing:
        try:
            self._deliver(row)
        except Unavailable as error:
            return self._failed(row, error)
        except Refused as error:
            return self._dead(row, str(error))
        except Exception as error:  # a row that our own code cannot send must not block the others
            return self._dead(row, repr(error))
        self._telemetry.count("outbox", outcome="sent", channel=row.channel.partition(":")[0])
        self._telemetry.observe("outbox_age_seconds", max(0, self._clock.now() - row.due_at) / SECOND)
        return replace(row, state=OutboxState.SENT, attempts=row.attempts + 1, error="")

    def _deliver(self, row: Outgoing) -> None:
        kind, _, channel = row.channel.partition(":")
        chat = self._chats.get(kind)
        if chat is None:
            raise Refused(f"no chat named {kind} is configured on this server; it has: {', '.join(self._chats)}")
        stored = self._history.events(row.release, after=row.seq - 1, limit=1)
        if not stored:
            raise Refused(f"{row.release} has no event {row.seq}")
        before = self._ledger.release_at(row.release, row.seq - 1) if row.seq > 1 else None
        event = unseal(stored[0].body)
        after = evolve(before, event)
        for message in announce(before, event, after):
            chat.deliver(Post(channel, message, after, after.target.partition("@")[0]))

    def _failed(self, row: Outgoing, error: Unavailable) -> Outgoing:
        attempts = row.attempts + 1
        if attempts >= ATTEMPTS:
            return self._dead(replace(row, attempts=attempts), str(error))
        wait = error.retry_after * SECOND if error.retry_after else SECOND * 2**row.attempts
        due = Micros(self._clock.now() + min(FARTHEST, int(wait)))
        self._telemetry.count("outbox", outcome="later", channel=row.channel.partition(":")[0])
        return replace(row, attempts=attempts, due_at=due, error=str(error))

    def _dead(self, row: Outgoing, error: str) -> Outgoing:
        self._telemetry.count("outbox", outcome="dead", channel=row.channel.partition(":")[0])
        self._ledger.commit([Unit(alerts=(Alert(self._clock.now(), "outbox_dead", row.key, error),))])
        return replace(row, state=OutboxState.DEAD, error=error)
