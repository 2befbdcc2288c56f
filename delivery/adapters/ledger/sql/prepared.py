"""A unit as the values of its statements, made before the transaction: nobody waits for it at the write lock."""

from dataclasses import dataclass, field
from typing import Any

from delivery.adapters.ledger.sql import coding, row_change
from delivery.adapters.ledger.sql.measured import Measured, segment_values
from delivery.adapters.ledger.units import chains, row_of
from delivery.model.ids import TargetId
from delivery.ports.rows import StoredRelease, Unit

Values = dict[str, Any]
UNFIT = (TypeError, ValueError, OverflowError)
"""What is raised for a value that has no stored form."""


@dataclass(slots=True)
class Prepared:
    """`number` is the unit's place in its commit. `refusal` is why a part of it cannot be stored at all."""

    number: int
    target: TargetId | None
    form: row_change.Form
    row: Values
    state: Values | None = None
    inbox: list[Values] = field(default_factory=list)
    measuring: Values | None = None
    new_releases: list[Values] = field(default_factory=list)
    next_releases: list[Values] = field(default_factory=list)
    events: list[Values] = field(default_factory=list)
    segments: list[Values] = field(default_factory=list)
    outbox: list[Values] = field(default_factory=list)
    alerts: list[Values] = field(default_factory=list)
    releases: tuple[StoredRelease, ...] = ()
    refusal: Exception | None = None


def prepare(number: int, unit: Unit, measured: Measured) -> Prepared:
    """The unit's values. Raises nothing: what cannot be stored is found after it is known whether the unit moved."""
    target = row_of(unit)
    row = row_change.parameters(unit, target) if target else {}
    made = Prepared(number, target, row_change.Form.of(unit), row)
    try:
        _fill(made, unit, measured)
    except UNFIT as error:
        made.refusal = error
    return made


def _fill(made: Prepared, unit: Unit, measured: Measured) -> None:
    if unit.row:
        made.state = {"b_id": unit.row.target.id, "body": coding.target_to(unit.row.target)}
    made.inbox = [coding.delivery_values(delivery) for delivery in unit.inbox]
    made.measuring = measured.values(unit.measuring) if unit.measuring else None
    made.events = [coding.event_values(event) for event in unit.events]
    made.segments = [segment_values(segment) for segment in unit.segments]
    made.outbox = [coding.outgoing_values(outgoing) for outgoing in unit.outbox]
    made.alerts = [coding.alert_values(alert) for alert in unit.alerts]
    if unit.releases:
        made.releases = unit.releases
        _fill_releases(made, unit)


def _fill_releases(made: Prepared, unit: Unit) -> None:
    events = chains(unit)
    for stored in unit.releases:
        first = events[stored.release.id][0]
        values = coding.release_values(stored)
        if first.seq == 1:
            made.new_releases.append(values)
        else:
            made.next_releases.append(_next_release(values, first.prev))


def _next_release(values: Values, prev: str) -> Values:
    changing = ("phase", "closed", "running", "finished_at", "seq", "head", "shape", "body")
    return {"b_id": values["id"], "b_prev": prev, **{name: values[name] for name in changing}}
