"""What only hints: kept in the inbox until the worker beside the cluster has read again what is really there.

A row waits until the deployer is done and what it put there is ready; then it is admitted under a key made from the
row's own, so that a worker that dies in between, or two that read at once, make one release. What cannot be read, or
never gets ready, ends dead with an alert once PATIENCE is over.
"""

from dataclasses import dataclass

from delivery.engine.addressees import meant
from delivery.engine.answer import Answer, Arrival
from delivery.engine.beside import Beside
from delivery.engine.book import Entry
from delivery.engine.cluster import Cluster
from delivery.engine.hinted import decode
from delivery.engine.inbox import Inbox
from delivery.engine.parts import Parts
from delivery.model.frozen import replace
from delivery.model.ids import HOUR, SECOND, Micros, Principal, TargetId
from delivery.model.notice import Happened, Hinted, Notice
from delivery.ports.deployer import Found
from delivery.ports.errors import PortError, Refused
from delivery.ports.rows import Alert, Delivery, InboxState

PATIENCE = HOUR
"""How long a row waits for what it hints at."""
TRIES = 5
"""So often a worker has read a row before it gives it up: one that starts after an outage does not do so at once."""
LEASE = Micros(5 * SECOND)
PAUSES = (1, 2, 5, 10, 30)
"""Seconds until a row is read again."""
BATCH = 200
LOOK_EVERY = 1.0
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Tried:
    times: int = 0
    next_at: float = 0.0


class _NotYet(Exception):
    """It is to be read again later; the text says what is missing."""


class Rereader:
    """Of one cluster. `owner` is this life of this process."""

    def __init__(self, parts: Parts, cluster: Cluster, inbox: Inbox, owner: str) -> None:
        self._ledger = parts.ledger
        self._book = parts.book
        self._clock = parts.clock
        self._telemetry = parts.telemetry
        self._cluster = cluster
        self._inbox = inbox
        self._owner = owner
        self._beside = Beside(parts, cluster)
        self._tried: dict[Key, _Tried] = {}
        self._next = 0.0

    def run(self, limit: float) -> int:
        """Reads what is due to be read, for at most about `limit` seconds; how many rows were settled."""
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        self._next = now + LOOK_EVERY
        if not self._ledger.lease(f"reread:{self._cluster.name}", self._owner, LEASE):
            return 0
        self._beside.run()
        rows = self._ledger.inbox(InboxState.PENDING, BATCH, self._cluster.name)
        self._tried = {key: self._tried.get(key, _Tried()) for key in map(_key, rows)}
        due = [row for row in rows if self._tried[_key(row)].next_at <= now]
        settled = 0
        for row in due:
            if self._clock.monotonic() - now > limit:
                break
            settled += self._settle(row)
        return settled

    def _settle(self, row: Delivery) -> bool:
        try:
            answer = self._read(row)
        except (PortError, _NotYet) as error:
            return self._later(row, str(error))
        except Exception as error:  # a fault of ours: no other row waits for it
            return self._later(row, repr(error))
        done = replace(
            row, state=InboxState.DONE, outcome=answer.outcome, reason=answer.reason, answer=answer.plain(), error=""
        )
        self._ledger.update_delivery(done, InboxState.PENDING)
        self._telemetry.count("rereads", outcome=answer.outcome)
        return True

    def _read(self, row: Delivery) -> Answer:
        """What became of it. Raises _NotYet, and PortError where it cannot be read."""
        hint, trace = decode(row.body)
        service, _, cluster = row.key.rpartition("#")[2].rpartition("@")
        entry = self._book.fresh(service)
        found = self._found(hint, row, entry)
        if found.waits:
            raise _NotYet(found.waits)
        actor = Principal(found.by) if hint.robot and found.by else hint.actor
        happened = Happened(hint.event, found.facts, actor, _origin(found))
        (means, *_) = meant(row.source, happened, {service: entry})
        if isinstance(means, Answer):
            return means
        request = replace(means, cluster=cluster)
        notice = Notice(row.source, f"{row.key}~read", row.digest, request, found.at, trace)
        (answer,) = self._inbox.accept([Arrival(notice, row.body)])
        if answer.outcome == "unknown":
            raise _NotYet(answer.text)
        return answer

    def _found(self, hint: Hinted, row: Delivery, entry: Entry | None) -> Found:
        target = TargetId(row.key.rpartition("#")[2])
        if entry is None or entry.service is None or entry.plan is None:
            raise _NotYet(f"there is no service for {target}" if entry is None else entry.broken)
        deployer = self._cluster.deployers.get(hint.deployer)
        if deployer is None:
            raise Refused(
                f"nobody can look: [clusters.{self._cluster.name}.deployers.{hint.deployer}] is not configured here"
            )
        workload = entry.service.workload_in(self._cluster.name)
        return deployer.find(target, workload, hint.facts)

    def _later(self, row: Delivery, why: str) -> bool:
        """Notes what it waits for; gives it up where its time is over. Whether it did."""
        now, tried = self._clock.monotonic(), self._tried[_key(row)]
        pause = PAUSES[min(tried.times, len(PAUSES) - 1)]
        after = _Tried(tried.times + 1, now + pause)
        self._tried[_key(row)] = after
        over = self._clock.now() - row.received_at >= PATIENCE and after.times >= TRIES
        if over:
            self._bury(row, why)
        elif row.error != why:
            self._ledger.update_delivery(replace(row, error=why), InboxState.PENDING)
        return over

    def _bury(self, row: Delivery, why: str) -> None:
        self._telemetry.log("delivery_dead", source=row.source, key=row.key, error=why)
        self._telemetry.count("rereads", outcome="dead")
        alert = Alert(self._clock.now(), "inbox_dead", f"{row.source} {row.key}", why)
        self._ledger.update_delivery(replace(row, state=InboxState.DEAD, error=why), InboxState.PENDING, (alert,))


def _key(row: Delivery) -> Key:
    return row.source, row.key


def _origin(found: Found) -> dict[str, str]:
    """What the history keeps of where it came from."""
    named = {"application": "application", "commit": "revision"}
    return {name: found.facts[fact] for name, fact in named.items() if fact in found.facts}
