"""Names of people out of what is stored."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from delivery.adapters.ledger import erasing
from delivery.adapters.ledger.memory.dropping import Dropping
from delivery.adapters.ledger.memory.tables import Journal
from delivery.model.erasure import Whom, without_by
from delivery.model.ids import Micros, ReleaseId
from delivery.model.record import Entry
from delivery.ports.erasure import Step
from delivery.ports.rows import InboxState, StoredRelease

K = TypeVar("K")
V = TypeVar("V")
_OVER = (InboxState.DONE, InboxState.DISCARDED)


class Erasing(Dropping):
    def hindrances(self, whom: Whom) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._hindrances(whom))[: erasing.ENOUGH]

    def _hindrances(self, whom: Whom) -> Iterator[str]:
        tables = self._tables
        for release, stored in sorted(tables.releases.items()):
            if stored.release.phase.closed:
                continue
            if found := erasing.open_release(stored.release.target, tables.events[release], whom):
                yield found
        yield from erasing.open_orders((row for _, row in sorted(tables.rows.items())), tables.stops.values(), whom)
        for _, row in sorted(tables.inbox.items()):
            if row.state not in _OVER and (found := erasing.open_delivery(row, whom)):
                yield found

    def erase_access(self, whom: Whom, at: Micros) -> Step:
        tables = self._tables
        with self._transaction() as journal:
            sessions = [key for key, one in tables.sessions.items() if whom.is_(one.principal)]
            for digest in sessions:
                journal.drop(tables.sessions, digest)
            tokens = [one for one in tables.tokens.values() if erasing.of_token(one, whom, at) is not None]
            for token in tokens:
                after = erasing.of_token(token, whom, at) or token
                journal.drop(tables.tokens, token.name)
                journal.put(tables.tokens, after.name, after)
            rows = (
                _changed(journal, tables.services, lambda record: erasing.of_service(record, whom))
                + _changed(journal, tables.alerts, lambda alert: erasing.of_alert(alert, whom))
                + _changed(journal, tables.records, lambda record: without_by(record, whom))
            )
        return Step(len(sessions) + len(tokens) + rows)

    def erase_deliveries(self, whom: Whom, after: str | None, most: int) -> Step:
        with self._transaction() as journal:
            past = tuple((after or "\n").split("\n", 1))
            keys = sorted(key for key, row in self._tables.inbox.items() if key > past and row.state in _OVER)[:most]
            rows = 0
            for key in keys:
                if (changed := erasing.of_delivery(self._tables.inbox[key], whom)) is not None:
                    journal.put(self._tables.inbox, key, changed)
                    rows += 1
        return Step(rows, "\n".join(keys[-1]) if len(keys) == most else None)

    def erase_releases(self, whom: Whom, after: str | None, most: int, entry: Entry) -> Step:
        tables = self._tables
        with self._transaction() as journal:
            over = [one for one, stored in tables.releases.items() if stored.release.phase.closed]
            ids = sorted(one for one in over if one > ReleaseId(after or ""))[:most]
            found = [one for id_ in ids if (one := erasing.of_release(tables.events[id_], whom, self._fold))]
            for one in found:
                id_ = one.release.id
                changed = {event.seq: event for event in one.events}
                whole = tuple(changed.get(event.seq, event) for event in tables.events[id_])
                journal.put(tables.events, id_, whole)
                journal.put(tables.releases, id_, StoredRelease(one.release, tables.releases[id_].head))
            if found:
                self._record(journal, erasing.recorded(entry, found))
        return Step(len(found), ids[-1] if len(ids) == most else None)


def _changed(journal: Journal, table: dict[K, V], change: Callable[[V], V | None]) -> int:
    """Puts what a change makes of each value, where it makes anything; how many those were."""
    found = {key: after for key, value in table.items() if (after := change(value)) is not None}
    for key, after in found.items():
        journal.put(table, key, after)
    return len(found)
