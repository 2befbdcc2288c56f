"""Commits. A batch is tried as a whole, with one statement per table. Only where something in it did not fit is it
halved, until what moved and what is refused stands alone.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, insert, select, update

from delivery.adapters.ledger.sql import coding, row_change
from delivery.adapters.ledger.sql.engine import in_port_words
from delivery.adapters.ledger.sql.measured import segment_values
from delivery.adapters.ledger.sql.part import Part
from delivery.adapters.ledger.sql.tables import ALERT, EVENT, RELEASE, SEGMENT, TARGET, TARGET_STATE
from delivery.adapters.ledger.sql.upsert import INSERT_DELIVERY, INSERT_OUTGOING, PUT_MEASURING
from delivery.adapters.ledger.units import chains, flaw, row_of
from delivery.model.codec import canon
from delivery.ports.errors import Refused
from delivery.ports.ledger import Committed, Result, Unit

_DONE = Committed(Result.DONE)
_CONFLICT = Committed(Result.CONFLICT)
_REFUSALS = (Refused, TypeError, ValueError, OverflowError)
"""What the database, or the way to it, says of one value."""
_STATE = update(TARGET_STATE).where(TARGET_STATE.c.id == bindparam("b_id"))
_NEXT_RELEASE = update(RELEASE).where(RELEASE.c.id == bindparam("b_id"), RELEASE.c.head == bindparam("b_prev"))
Numbered = tuple[int, Unit]
Values = dict[str, Any]


class _Moved(Exception):
    """A statement found fewer rows as they were expected than it had to."""


class Commits(Part):
    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        results = {number: Committed(Result.POISON, text) for number, unit in enumerate(units) if (text := flaw(unit))}
        sound = [(number, unit) for number, unit in enumerate(units) if number not in results]
        try:
            with self._database.write() as connection:
                self._lock_targets(connection, sound)
                for layer in _layers(sound):
                    self._apply(connection, layer)
            results |= {number: _DONE for number, _ in sound}
        except (_Moved, *_REFUSALS):
            with self._database.write() as connection:
                self._lock_targets(connection, sound)
                for layer in _layers(sound):
                    self._sort_out(connection, layer, results)
        return tuple(results[number] for number in range(len(units)))

    def _lock_targets(self, connection: Connection, units: Sequence[Numbered]) -> None:
        """Always in the same order, so that two committers never wait for each other. SQLite has one writer anyway."""
        ids = {target for _, unit in units if (target := row_of(unit))}
        if len(ids) > 1 and not self._database.sqlite:
            query = select(TARGET.c.id).where(TARGET.c.id.in_(sorted(ids))).order_by(TARGET.c.id)
            connection.execute(query.with_for_update())

    def _sort_out(self, connection: Connection, units: Sequence[Numbered], results: dict[int, Committed]) -> None:
        try:
            with in_port_words(), connection.begin_nested():
                self._apply(connection, units)
            results |= {number: _DONE for number, _ in units}
        except (_Moved, *_REFUSALS) as error:
            if len(units) > 1:
                middle = len(units) // 2
                self._sort_out(connection, units[:middle], results)
                self._sort_out(connection, units[middle:], results)
            elif isinstance(error, _Moved):
                results[units[0][0]] = _CONFLICT
            else:
                results[units[0][0]] = Committed(Result.POISON, str(error))

    def _apply(self, connection: Connection, numbered: Sequence[Numbered]) -> None:
        """What tells a conflict comes first, so that a unit that moved is never taken for one that is refused."""
        units = [unit for _, unit in numbered]
        self._write_targets(connection, units)
        inbox = [coding.delivery_values(delivery) for unit in units for delivery in unit.inbox]
        _change(connection, INSERT_DELIVERY[self._database.sqlite], inbox)
        measured = [self._measured.values(unit.measuring) for unit in units if unit.measuring]
        _change(connection, PUT_MEASURING[self._database.sqlite], measured)
        self._write_releases(connection, units)
        _add(connection, EVENT, [coding.event_values(event) for unit in units for event in unit.events])
        _add(connection, SEGMENT, [segment_values(segment) for unit in units for segment in unit.segments])
        outbox = [coding.outgoing_values(outgoing) for unit in units for outgoing in unit.outbox]
        if outbox:
            connection.execute(INSERT_OUTGOING[self._database.sqlite], outbox)
        _add(connection, ALERT, [coding.alert_values(alert) for unit in units for alert in unit.alerts])

    @staticmethod
    def _write_targets(connection: Connection, units: Sequence[Unit]) -> None:
        by_form: dict[row_change.Form, list[Values]] = {}
        for unit in units:
            target = row_of(unit)
            if target is not None:
                by_form.setdefault(row_change.Form.of(unit), []).append(row_change.parameters(unit, target))
        for form, values in by_form.items():
            _change(connection, row_change.statement(form), values)
        states = [{"b_id": unit.row.target.id, "body": canon(unit.row.target)} for unit in units if unit.row]
        _change(connection, _STATE, states)

    @staticmethod
    def _write_releases(connection: Connection, units: Sequence[Unit]) -> None:
        """Those that end first: the next one may run as soon as its predecessor does not."""
        new: list[Values] = []
        known: list[Values] = []
        for unit in units:
            events = chains(unit)
            for stored in unit.releases:
                first = events[stored.release.id][0]
                values = coding.release_values(stored)
                if first.seq == 1:
                    new.append(values)
                else:
                    known.append(_next_release(values, first.prev))
        _change(connection, _NEXT_RELEASE, [values for values in known if not values["running"]])
        _add(connection, RELEASE, new)
        _change(connection, _NEXT_RELEASE, [values for values in known if values["running"]])


def _next_release(values: Values, prev: str) -> Values:
    changing = ("phase", "closed", "running", "finished_at", "seq", "head", "shape", "body")
    return {"b_id": values["id"], "b_prev": prev, **{name: values[name] for name in changing}}


def _layers(units: Sequence[Numbered]) -> list[list[Numbered]]:
    """A layer has one statement for each form, so units of one target that differ in it follow in another layer."""
    layers: list[list[Numbered]] = []
    last: dict[str, tuple[int, row_change.Form]] = {}
    for number, unit in units:
        level = 0
        if target := row_of(unit):
            form = row_change.Form.of(unit)
            level, before = last.get(target, (0, form))
            level += before != form
            last[target] = level, form
        if level == len(layers):
            layers.append([])
        layers[level].append((number, unit))
    return layers


def _change(connection: Connection, statement: Executable, values: list[Values]) -> None:
    """Each of these must find its row as it was expected."""
    if values and connection.execute(statement, values).rowcount != len(values):
        raise _Moved


def _add(connection: Connection, table: Any, values: list[Values]) -> None:
    if values:
        connection.execute(insert(table), values)
