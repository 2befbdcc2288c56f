"""What every ledger does alike to take somebody's name out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from delivery.adapters.ledger.units import Fold
from delivery.model.codec import StoredEvent
from delivery.model.erasure import Whom, rewritten
from delivery.model.ids import Micros
from delivery.model.record import Entry, fingerprint
from delivery.model.release import Release
from delivery.ports.access import ApiToken
from delivery.ports.rows import Alert, Delivery, Row, ServiceRecord, StopOrder

ENOUGH = 20
"""Hindrances that are told at once."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A release that is over, without somebody's name. `events` are those that changed."""

    release: Release
    events: tuple[StoredEvent, ...]


def of_release(events: Sequence[StoredEvent], whom: Whom, fold: Fold) -> Rewritten | None:
    changed = {event.seq: after for event in events if (after := rewritten(event, whom)) is not None}
    if not changed:
        return None
    whole = [changed.get(event.seq, event) for event in events]
    return Rewritten(fold(event.event for event in whole), tuple(changed.values()))


def recorded(entry: Entry, found: Iterable[Rewritten]) -> Entry:
    """The entry with which events are what since."""
    told = [[event.release, event.seq, event.hash, fingerprint(event)] for one in found for event in one.events]
    return replace(entry, data={**entry.data, "rewritten": told})


def of_delivery(row: Delivery, whom: Whom) -> Delivery | None:
    """Without the body, which is the sender's to tell, and without the name in what was answered."""
    words = (row.reason, row.error, str(row.answer))
    if not whom.in_bytes(row.body) and not any(map(whom.within, words)):
        return None
    body = b"" if whom.in_bytes(row.body) else row.body
    answer: Mapping[str, object] = whom.without(row.answer)
    return replace(row, body=body, reason=whom.without(row.reason), error=whom.without(row.error), answer=answer)


def of_token(token: ApiToken, whom: Whom, at: Micros) -> ApiToken | None:
    """Revoked where it is theirs, and then its name, which was free to be any, is another."""
    theirs = whom.is_(token.principal)
    named = theirs or whom.within(token.name)
    name = f"erased-{whom.key}-{token.digest[:8]}" if named else token.name
    after = replace(
        token,
        name=name,
        principal=whom.stand_in if theirs else token.principal,
        created_by=whom.stand_in if whom.is_(token.created_by) else token.created_by,
        revoked_by=whom.stand_in if token.revoked_by and whom.is_(token.revoked_by) else token.revoked_by,
    )
    if theirs and token.revoked_at is None:
        after = replace(after, revoked_at=at, revoked_by=whom.stand_in)
    return None if after == token else after


def of_alert(alert: Alert, whom: Whom) -> Alert | None:
    after = replace(alert, subject=whom.without(alert.subject), detail=whom.without(alert.detail))
    return None if after == alert else after


def open_release(target: str, events: Sequence[StoredEvent], whom: Whom) -> str | None:
    if any(rewritten(event, whom) is not None for event in events):
        return f"release {events[0].release} of {target} is open and names them: wait until it is over, or end it"
    return None


def open_orders(rows: Iterable[Row], stops: Iterable[StopOrder], whom: Whom) -> list[str]:
    found = [
        f"writes to {row.target.id} are paused by them, or with their name: resume them"
        for row in rows
        if whom.within(row.target.in_hand or "")
    ]
    found += [f"a stop of {one.scope} is theirs, or names them: lift it" for one in stops if _named(one, whom)]
    return found


def open_delivery(row: Delivery, whom: Whom) -> str | None:
    if of_delivery(row, whom) is None:
        return None
    return f"delivery {row.key} of {row.source} names them and is {row.state.value}: replay or discard it"


def of_service(record: ServiceRecord, whom: Whom) -> ServiceRecord | None:
    return replace(record, applied_by=whom.stand_in) if whom.is_(record.applied_by) else None


def _named(stop: StopOrder, whom: Whom) -> bool:
    return whom.is_(stop.by) or whom.within(stop.reason)
