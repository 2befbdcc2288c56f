"""Sending what decisions left in the outbox: messages to people, facts to other systems. Traffic never waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from delivery.engine.book import Book
from delivery.machine.actions import allowed, liftable
from delivery.machine.announce import announce
from delivery.machine.evolve import evolve
from delivery.model.codec import Newer, StoredEvent
from delivery.model.event import Phase
from delivery.model.frozen import replace
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.message import Message
from delivery.model.outward import Topic
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.ports.chat import Chat, NotYet, Post
from delivery.ports.clock import Clock
from delivery.ports.errors import Refused, TooNew, Unavailable
from delivery.ports.history import History
from delivery.ports.ledger import Ledger
from delivery.ports.rows import FARTHEST, Alert, OutboxState, Outgoing
from delivery.ports.subscriber import Fact, Subscriber
from delivery.ports.telemetry import Telemetry
from delivery.wording.chat import happened

NOBODY = ""
LEASE = Micros(30 * SECOND)
TURN = 1.0  # seconds after which nothing more is begun, so that a shutdown need not wait
PATIENCE = Micros(24 * HOUR)
"""How old a message may get while its chat does not take it. Then it ends dead, and a person may replay it."""
FOR_OTHERS = Micros(5 * SECOND)
"""How long a message of a newer version is left to that version's workers before we look at it again."""
WINDOW_CLOSED = "the version that it replaced is no longer kept ready to come back"


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


@dataclass(frozen=True, slots=True)
class Receivers:
    """Adapters by the name that a channel starts with: "slack:#checkout" goes to "slack"."""

    chats: Mapping[str, Chat]
    subscribers: Mapping[str, Subscriber] = field(default_factory=dict)


class Outbox:
    """Each receiver has a lane of its own, so that one that is slow or away holds up no other.

    What a subscriber is told of one release it is told in order.
    """

    def __init__(
        self,
        ledger: Ledger,
        history: History,
        receivers: Receivers,
        book: Book,
        clock: Clock,
        telemetry: Telemetry,
        owner: str,
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._chats, self._subscribers = receivers.chats, receivers.subscribers
        self._book = book
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner
        self._away: dict[str, _Away] = {}

    @property
    def lanes(self) -> tuple[str, ...]:
        """Names to run by, each in a thread of its own; the last is for channels that nobody here serves."""
        return (*self._chats, *self._subscribers, NOBODY)

    def run(self, lane: str | None = None) -> int:
        """Sends what is due in a lane, or in all of them; how many rows were handled.

        One at a time: what is claimed and not yet marked as sent is sent twice by a crash, so that is never more than
        one message.
        """
        return sum(self._run(one) for one in (self.lanes if lane is None else (lane,)))

    def _run(self, lane: str) -> int:
        end, handled = self._clock.monotonic() + TURN, 0
        while self._clock.monotonic() < end and not self._absent(lane):
            rows = self._claim(lane)
            if not rows:
                break
            sent = [self._send(row) for row in rows]
            dead = [self._alert(row) for row in sent if row.state is OutboxState.DEAD]
            self._ledger.update_outbox(sent, self._owner, dead)
            handled += len(rows)
        return handled

    def _claim(self, lane: str) -> tuple[Outgoing, ...]:
        if lane == NOBODY:
            return self._ledger.claim_outbox(self._owner, LEASE, 1, without={*self._chats, *self._subscribers})
        return self._ledger.claim_outbox(self._owner, LEASE, 1, only=lane, in_turn=lane in self._subscribers)

    def _send(self, row: Outgoing) -> Outgoing:
        kind = row.channel.partition(":")[0]
        try:
            self._deliver(row)
        except NotYet as error:
            return replace(row, due_at=Micros(self._clock.now() + int(error.seconds * SECOND)), error=str(error))
        except (Newer, TooNew) as error:  # left to workers of the version that wrote it
            return replace(row, due_at=Micros(self._clock.now() + FOR_OTHERS), error=str(error))
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

    def _absent(self, lane: str) -> bool:
        """Whether it is not to be asked now: one question a while is enough, whatever waits for it."""
        now, away = self._clock.now(), self._away.get(lane)
        return away is not None and now < away.until <= now + FARTHEST

    def _deliver(self, row: Outgoing) -> None:
        kind, _, channel = row.channel.partition(":")
        if (subscriber := self._subscribers.get(kind)) is not None:
            subscriber.tell(self._fact(row), _Noted(self._ledger, row))
            return
        chat = self._chats.get(kind)
        if chat is None:
            raise Refused(f"nobody named {kind} is configured on this server; it has: {', '.join(self.lanes[:-1])}")
        event = self._event(row).event
        before = self._ledger.release_at(row.release, row.seq - 1) if row.seq > 1 else None
        after = evolve(before, event)
        for message in announce(before, event, after):
            chat.deliver(self._post(channel, message, after), _Noted(self._ledger, row))

    def _fact(self, row: Outgoing) -> Fact:
        stored, release = self._event(row), self._ledger.release_at(row.release, row.seq)
        if release is None:
            raise Refused(f"{row.release} has no event {row.seq}")
        topic = Topic(row.topic)
        service, _, cluster = release.target.rpartition("@")
        entry = self._book.recent(service)
        owners = entry.service.owners if entry and entry.service else ()
        text = WINDOW_CLOSED if topic is Topic.WINDOW_CLOSED else happened(stored.event, release)
        at = _happened_at(topic, stored, release)
        identity = f"{row.release}-{row.seq}-{topic.value.partition('.')[2]}"
        return Fact(identity, topic, at, release, service, cluster, owners, text)

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
        if now - self._age_from(row) > PATIENCE:
            return self._dead(replace(row, attempts=row.attempts + 1), str(error))
        failures = self._away[kind].failures if kind in self._away else 0
        wait = int(error.retry_after * SECOND) if error.retry_after else _backoff(failures)
        self._away[kind] = _Away(Micros(now + min(MINUTE, wait)), failures + 1)
        self._telemetry.count("outbox", outcome="later", channel=kind)
        due = Micros(now + max(_backoff(row.attempts), min(MINUTE, wait)))
        return replace(row, attempts=row.attempts + 1, due_at=due, error=str(error))

    def _age_from(self, row: Outgoing) -> int:
        event, release = self._event(row), self._ledger.release_at(row.release, row.seq)
        return event.at if release is None else _happened_at(row.topic, event, release)

    def _dead(self, row: Outgoing, error: str) -> Outgoing:
        self._telemetry.count("outbox", outcome="dead", channel=row.channel.partition(":")[0])
        return replace(row, state=OutboxState.DEAD, error=error)

    def _alert(self, row: Outgoing) -> Alert:
        return Alert(self._clock.now(), "outbox_dead", row.key, row.error)


def _happened_at(topic: str, event: StoredEvent, release: Release) -> Micros:
    """That the window closed is no event of the release's: it was over by then."""
    waited = release.plan.rollback_window if topic == Topic.WINDOW_CLOSED else 0
    return Micros(event.at + waited)


def _backoff(failures: int) -> int:
    """1, 2, 4 ... seconds, a minute at most."""
    return min(MINUTE, SECOND * (1 << min(failures, 6)))
