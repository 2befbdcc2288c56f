"""Sending what decisions left in the outbox: messages to people. Traffic never waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from delivery.engine.book import Book
from delivery.machine.actions import allowed, liftable
from delivery.machine.announce import announce
from delivery.machine.evolve import evolve
from delivery.model.codec import StoredEvent, unseal
from delivery.model.event import Phase
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.message import Message
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.ports.chat import Chat, NotYet, Post
from delivery.ports.clock import Clock
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.history import History
from delivery.ports.ledger import FARTHEST, Alert, Ledger, OutboxState, Outgoing, Unit
from delivery.ports.telemetry import Telemetry

LEASE = Micros(30 * SECOND)
TURN = 1.0  # seconds after which nothing more is begun, so that a shutdown need not wait
PATIENCE = Micros(24 * HOUR)
"""How old a message may get while its chat does not take it. Then it ends dead, and a person may replay it."""


@dataclass(frozen=True, slots=True)
class _Away:
    """A chat that did not answer, or asked for patience."""

    until: Micros
    failures: int


class _Noted:
    """The place of a release in a channel, kept in the ledger."""

    def __init__(self, ledger: Ledger, row: Outgoing) -> None:
        self._ledger = ledger
        self._row = row

    @property
    def known(self) -> str | None:
        return self._ledger.posted(self._row.release, self._row.channel)

    def note(self, at: str) -> None:
        self._ledger.note_posted(self._row.release, self._row.channel, at)


class Outbox:
    """`chats` are adapters by the name that a channel starts with: "slack:#checkout" goes to "slack"."""

    def __init__(
        self,
        ledger: Ledger,
        history: History,
        chats: Mapping[str, Chat],
        book: Book,
        clock: Clock,
        telemetry: Telemetry,
        owner: str,
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._chats = chats
        self._book = book
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner
        self._away: dict[str, _Away] = {}

    def run(self) -> int:
        """Sends what is due; how many rows were handled. A row that fails holds up no other.

        One at a time: what is claimed and not yet marked as sent is sent twice by a crash, so that is never more than
        one message.
        """
        end, handled = self._clock.monotonic() + TURN, 0
        while self._clock.monotonic() < end:
            rows = self._ledger.claim_outbox(self._owner, LEASE, 1, without=self._absent())
            if not rows:
                break
            self._ledger.update_outbox([self._send(row) for row in rows])
            handled += len(rows)
        return handled

    def _send(self, row: Outgoing) -> Outgoing:
        kind = row.channel.partition(":")[0]
        try:
            self._deliver(row)
        except NotYet as error:
            return replace(row, due_at=Micros(self._clock.now() + int(error.seconds * SECOND)), error=str(error))
        except Unavailable as error:
            return self._failed(row, error)
        except Refused as error:
            return self._dead(row, str(error))
        except Exception as error:  # a row that our own code cannot send must not block the others
            return self._dead(row, repr(error))
        self._away.pop(kind, None)
        self._telemetry.count("outbox", outcome="sent", channel=kind)
        self._telemetry.observe("outbox_age_seconds", max(0, self._clock.now() - row.due_at) / SECOND)
        return replace(row, state=OutboxState.SENT, attempts=row.attempts + 1, error="")

    def _absent(self) -> frozenset[str]:
        """The chats that are not to be asked now: one question a while is enough, whatever waits for it."""
        now = self._clock.now()
        return frozenset(kind for kind, away in self._away.items() if now < away.until <= now + FARTHEST)

    def _deliver(self, row: Outgoing) -> None:
        kind, _, channel = row.channel.partition(":")
        chat = self._chats.get(kind)
        if chat is None:
            raise Refused(f"no chat named {kind} is configured on this server; it has: {', '.join(self._chats)}")
        event = unseal(self._event(row).body)
        before = self._ledger.release_at(row.release, row.seq - 1) if row.seq > 1 else None
        after = evolve(before, event)
        for message in announce(before, event, after):
            chat.deliver(self._post(channel, message, after), _Noted(self._ledger, row))

    def _event(self, row: Outgoing) -> StoredEvent:
        stored = self._history.events(row.release, after=row.seq - 1, limit=1)
        if not stored:
            raise Refused(f"{row.release} has no event {row.seq}")
        return stored[0]

    def _post(self, channel: str, message: Message, release: Release) -> Post:
        service, _, cluster = release.target.rpartition("@")
        context = self._book.context(Target(release.target, service, cluster), recent=True)
        entry = self._book.recent(service)
        mention = entry.service.mention if entry and entry.service else ""
        paused = self._paused(release)
        can = allowed(release, context)
        return Post(channel, message, release, service, can, mention, liftable(release), paused)

    def _paused(self, release: Release) -> str | None:
        """Who has the routes in hand, where a way back is waiting for them: people would take it for done."""
        if release.phase is not Phase.ROLLING_BACK:
            return None
        service = release.target.rpartition("@")[0]
        return next(
            (row.target.in_hand for row in self._history.rows(service) if row.target.id == release.target), None
        )

    def _failed(self, row: Outgoing, error: Unavailable) -> Outgoing:
        """Later, after all that wait already: the fault may be the message's own. Its chat is left alone a while."""
        kind, now = row.channel.partition(":")[0], self._clock.now()
        if now - self._event(row).at > PATIENCE:
            return self._dead(replace(row, attempts=row.attempts + 1), str(error))
        failures = self._away[kind].failures if kind in self._away else 0
        wait = int(error.retry_after * SECOND) if error.retry_after else _backoff(failures)
        self._away[kind] = _Away(Micros(now + min(MINUTE, wait)), failures + 1)
        self._telemetry.count("outbox", outcome="later", channel=kind)
        due = Micros(now + max(_backoff(row.attempts), min(MINUTE, wait)))
        return replace(row, attempts=row.attempts + 1, due_at=due, error=str(error))

    def _dead(self, row: Outgoing, error: str) -> Outgoing:
        self._telemetry.count("outbox", outcome="dead", channel=row.channel.partition(":")[0])
        self._ledger.commit([Unit(alerts=(Alert(self._clock.now(), "outbox_dead", row.key, error),))])
        return replace(row, state=OutboxState.DEAD, error=error)


def _backoff(failures: int) -> int:
    """1, 2, 4 ... seconds, a minute at most."""
    return min(MINUTE, SECOND * (1 << min(failures, 6)))
