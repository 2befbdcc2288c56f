"""A person's name out of all that is stored, a bounded step at a time, so that nobody has to wait for it."""

from dataclasses import dataclass

from delivery.model.erasure import Whom
from delivery.model.ids import Micros, Principal
from delivery.model.record import Entry, RecordKind
from delivery.ports.erasure import Erasure, Step

DELIVERIES, RELEASES = "deliveries", "releases"
MOST = {DELIVERIES: 500, RELEASES: 50}


@dataclass(frozen=True, slots=True)
class Asked:
    """By whom, with a salt that nobody can guess. `at` is now."""

    by: Principal
    salt: str
    at: Micros


def erase(store: Erasure, whom: Whom, asked: Asked, cursor: str | None) -> Step:
    """One step: from the beginning without a cursor, else from where the last one ended. Raises ValueError for a cursor
    that is none of ours.
    """
    if cursor is None:
        return Step(store.erase_access(whom, asked.at).rows, f"{DELIVERIES}:")
    kind, _, after = cursor.partition(":")
    if kind == DELIVERIES:
        step = store.erase_deliveries(whom, after or None, MOST[kind])
        return Step(step.rows, f"{RELEASES}:" if step.next is None else f"{kind}:{step.next}")
    if kind == RELEASES:
        entry = Entry(RecordKind.ERASED, {"person": whom.key}, by=asked.by, salt=asked.salt)
        step = store.erase_releases(whom, after or None, MOST[kind], entry)
        return Step(step.rows, None if step.next is None else f"{kind}:{step.next}")
    raise ValueError(f"{cursor!r} is no place to go on from")
