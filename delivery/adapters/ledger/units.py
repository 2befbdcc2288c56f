"""What a unit of a commit may be and what it does to a row: the rules that every ledger has alike. Pure."""

from collections.abc import Callable, Iterable

from delivery.model.codec import GENESIS, StoredEvent, link
from delivery.model.event import Event, Phase
from delivery.model.frozen import replace
from delivery.model.ids import Micros, ReleaseId, TargetId
from delivery.model.release import Release
from delivery.ports.rows import BEYOND, Measuring, Row, ServiceRecord, Unit, Wake

Fold = Callable[[Iterable[Event]], Release]
"""How events become a release. Handed in by wiring: adapters decide nothing."""
BEAT_KEPT = Micros(86_400_000_000)
"""How long a worker that is silent is still listed: each life of a worker has a name of its own."""


def target_of(unit: Unit) -> TargetId | None:
    return unit.target if unit.row is None else unit.row.target.id


def row_of(unit: Unit) -> TargetId | None:
    """The target whose row the unit checks or changes; None for one that only adds."""
    idle = unit.row is None and unit.wake is None and unit.expect is None and unit.owner is None
    return None if idle else target_of(unit)


def parts_of(target: TargetId) -> tuple[str, str]:
    """Service and cluster."""
    service, _, cluster = target.partition("@")
    return service, cluster


def chains(unit: Unit) -> dict[ReleaseId, list[StoredEvent]]:
    """The unit's events by release, in order."""
    found: dict[ReleaseId, list[StoredEvent]] = {}
    for event in unit.events:
        found.setdefault(event.release, []).append(event)
    return found


def flaw(unit: Unit) -> str:
    """Why no ledger can take this unit; empty where it can. A flaw poisons the unit alone."""
    if unit.row is not None and unit.expect is None:
        return "a row is changed without saying which version it had"
    if unit.row is not None and unit.target not in (None, unit.row.target.id):
        return f"{unit.target} is to get the row of {unit.row.target.id}"
    if target_of(unit) is None and (unit.wake or unit.expect is not None or unit.owner is not None):
        return "a change of a row names no target"
    return _flaw_of_chains(unit) if unit.events or unit.releases else ""


def _flaw_of_chains(unit: Unit) -> str:
    by_release = chains(unit)
    if by_release.keys() != {stored.release.id for stored in unit.releases}:
        return "releases change by their events, and events change their release"
    for stored in unit.releases:
        events = by_release[stored.release.id]
        if stored.release.target != target_of(unit):
            return f"{stored.release.id} is a release of {stored.release.target}, not of {target_of(unit)}"
        broken = _broken(events)
        if broken:
            return broken
        last = events[-1]
        if (last.seq, last.hash) != (stored.release.seq, stored.head):
            return f"{stored.release.id} says that it ends at event {stored.release.seq}, its events at {last.seq}"
    return ""


def _broken(events: list[StoredEvent]) -> str:
    first = events[0]
    if (first.seq == 1) != (first.prev == GENESIS):
        return f"the chain of {first.release} does not begin at event {first.seq}"
    for number, event in enumerate(events):
        follows = number == 0 or (event.seq == events[number - 1].seq + 1 and event.prev == events[number - 1].hash)
        if not follows or link(event.prev, event.body) != event.hash:
            return f"the chain of {event.release} is broken at event {event.seq}"
    return ""


def running(release: Release) -> bool:
    """Whether it has its target for itself. A target has one such release at most."""
    return release.phase is not Phase.QUEUED and not release.phase.closed


def follows(stored: Measuring | None, measuring: Measuring) -> bool:
    """Whether it is the next tick, or what is known at the same tick (a new start, or a look that saw nothing)."""
    if stored is None:
        return True
    if measuring.dseq < stored.dseq:
        return False
    if measuring.tick == stored.tick:
        return measuring.evidence == stored.evidence
    return measuring.tick == stored.tick + 1


def sooner(one: Micros | None, other: Micros | None) -> Micros | None:
    """The earlier of two times; None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def past(time: Micros, now: Micros) -> bool:
    """Whether a due time or a lease is over, or was set by a clock that has gone back since."""
    return not now < time <= now + BEYOND


def hands_back(unit: Unit) -> bool:
    """Whether the claim ends with this unit: its holder gives it up, or somebody ordered what must not wait for it."""
    return unit.wake is not None and unit.wake.release_claim


def changed(stored: Row, unit: Unit, woken: Micros | None) -> Row:
    """The row after the unit. `woken` is when somebody else made it due while the holder was at work.

    The fence's columns (epoch, writer, settled, content, written_at) are not the commit's to change: a decision made
    beside a claim must not undo what the holder did meanwhile.
    """
    row = stored
    if unit.row is not None:
        row = replace(
            stored,
            target=unit.row.target,
            version=stored.version + 1,
            due_at=unit.row.due_at,
            due_why=unit.row.due_why,
            urgent=unit.row.urgent,
            failures=unit.row.failures,
            quarantined=unit.row.quarantined,
            requires=max(stored.requires, unit.row.requires),
        )
    if unit.wake is not None:
        row = _waked(row, unit.wake)
    if unit.owner is not None:
        row = replace(row, due_at=sooner(row.due_at, woken))
    if hands_back(unit):
        row = replace(row, owner="", lease_until=Micros(0))
    return row


def asked_for(unit: Unit) -> Micros | None:
    """When the unit itself wants the target to be due, whatever was stored before."""
    if unit.row is not None:
        return changed(unit.row, unit, None).due_at
    return unit.wake.due_at if unit.wake is not None else None


def _waked(row: Row, wake: Wake) -> Row:
    if not wake.sooner:
        return replace(row, due_at=wake.due_at, due_why=wake.why, urgent=wake.urgent)
    urgent = row.urgent or wake.urgent
    if sooner(row.due_at, wake.due_at) == row.due_at:
        return replace(row, urgent=urgent)
    return replace(row, due_at=wake.due_at, due_why=wake.why, urgent=urgent)


def named(row: Row) -> set[ReleaseId]:
    """Releases that the row, or what it owns in the mesh, still goes by."""
    target = row.target
    windows = (one.kept_for[0] for one in target.retiring if one.kept_for)
    settled = row.settled[1] if row.settled else None
    return {one for one in (target.active, target.last, settled, *target.queue, *windows) if one}


def covers(scope: str, cluster: str, record: ServiceRecord | None) -> bool:
    """Whether a stop of this scope is about the target of this service in this cluster."""
    return scope in ("*", f"cluster:{cluster}") or (record is not None and scope in _owner_scopes(record))


def _owner_scopes(record: ServiceRecord) -> set[str]:
    owners = record.document.get("owners")
    return {f"owner:{owner}" for owner in owners} if isinstance(owners, list | tuple) else set()
