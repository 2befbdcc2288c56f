"""Commits. A batch is tried as a whole, with one statement per table. Only where something in it did not fit is it
halved, until what moved and what is refused stands alone.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import itemgetter

from sqlalchemy import Connection, bindparam, select, update

from delivery.adapters.ledger.sql import row_change
from delivery.adapters.ledger.sql.engine import TakenBack, in_port_words
from delivery.adapters.ledger.sql.part import Moved, Part, add, change
from delivery.adapters.ledger.sql.prepared import UNFIT, Prepared, Values, prepare
from delivery.adapters.ledger.sql.tables import ALERT, EVENT, RELEASE, SEGMENT, TARGET, TARGET_STATE
from delivery.adapters.ledger.sql.upsert import INSERT_DELIVERY, INSERT_OUTGOING, PUT_MEASURING
from delivery.adapters.ledger.units import flaw
from delivery.ports.errors import Refused
from delivery.ports.rows import Committed, Result, Unit

_DONE = Committed(Result.DONE)
_CONFLICT = Committed(Result.CONFLICT)
_REFUSALS = (Refused, *UNFIT)
"""What the database, or the way to it, says of one value."""
TRIES = 4
"""Before it is said that a commit cannot be made for others that are always in its way."""
_DELIVERY = itemgetter("source", "key")
"""Deliveries are stored in one order, so that two who are sent the same ones never wait for each other."""
_STATE = update(TARGET_STATE).where(TARGET_STATE.c.id == bindparam("b_id"))
_NEXT_RELEASE = update(RELEASE).where(RELEASE.c.id == bindparam("b_id"), RELEASE.c.head == bindparam("b_prev"))


class Commits(Part):
    def commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        for _ in range(TRIES):
            with suppress(TakenBack):
                return self._commit(units)
        return self._commit(units)

    def _commit(self, units: Sequence[Unit]) -> tuple[Committed, ...]:
        results = {number: Committed(Result.POISON, text) for number, unit in enumerate(units) if (text := flaw(unit))}
        sound = [prepare(number, unit, self._measured) for number, unit in enumerate(units) if number not in results]
        try:
            with self._database.write() as connection:
                self._lock_targets(connection, sound)
                for layer in _layers(sound):
                    self._apply(connection, layer)
            results |= {unit.number: _DONE for unit in sound}
            self._remember(sound)
        except (Moved, *_REFUSALS):
            with self._database.write() as connection:
                self._lock_targets(connection, sound)
                for layer in _layers(sound):
                    self._sort_out(connection, sorted(layer, key=_place), results)
        return tuple(results[number] for number in range(len(units)))

    def _remember(self, units: Sequence[Prepared]) -> None:
        """What was written need not be decoded when it is read next."""
        for unit in units:
            for stored in unit.releases:
                self._decoded.keep((stored.release.id, stored.head, 0), stored.release)

    def _lock_targets(self, connection: Connection, units: Sequence[Prepared]) -> None:
        """Always in the same order, so that two committers never wait for each other. SQLite has one writer anyway."""
        ids = {unit.target for unit in units if unit.target}
        if len(ids) > 1 and not self._database.sqlite:
            query = select(TARGET.c.id).where(TARGET.c.id.in_(sorted(ids))).order_by(TARGET.c.id)
            connection.execute(query.with_for_update())

    def _sort_out(self, connection: Connection, units: Sequence[Prepared], results: dict[int, Committed]) -> None:
        try:
            with in_port_words(), connection.begin_nested():
                self._apply(connection, units)
            results |= {unit.number: _DONE for unit in units}
        except (Moved, *_REFUSALS) as error:
            if len(units) > 1:
                middle = len(units) // 2
                self._sort_out(connection, units[:middle], results)
                self._sort_out(connection, units[middle:], results)
            elif isinstance(error, Moved):
                results[units[0].number] = _CONFLICT
            else:
                results[units[0].number] = Committed(Result.POISON, str(error))

    def _apply(self, connection: Connection, units: Sequence[Prepared]) -> None:
        """What tells a conflict comes first, so that a unit that moved is never taken for one that is refused."""
        sqlite = self._database.sqlite
        self._write_rows(connection, units)
        for unit in units:
            if unit.refusal is not None:
                raise unit.refusal
        change(connection, _STATE, [unit.state for unit in units if unit.state])
        change(connection, INSERT_DELIVERY[sqlite], sorted(_all(unit.inbox for unit in units), key=_DELIVERY))
        change(connection, PUT_MEASURING[sqlite], [unit.measuring for unit in units if unit.measuring])
        self._write_releases(connection, units)
        add(connection, EVENT, _all(unit.events for unit in units))
        add(connection, SEGMENT, _all(unit.segments for unit in units))
        if outbox := _all(unit.outbox for unit in units):
            connection.execute(INSERT_OUTGOING[sqlite], outbox)
        add(connection, ALERT, _all(unit.alerts for unit in units))

    @staticmethod
    def _write_rows(connection: Connection, units: Sequence[Prepared]) -> None:
        by_form: dict[row_change.Form, list[Values]] = {}
        for unit in units:
            if unit.target is not None:
                by_form.setdefault(unit.form, []).append(unit.row)
        for form, values in by_form.items():
            change(connection, row_change.statement(form), values)

    @staticmethod
    def _write_releases(connection: Connection, units: Sequence[Prepared]) -> None:
        """Those that end first: the next one may run as soon as its predecessor does not."""
        known = _all(unit.next_releases for unit in units)
        change(connection, _NEXT_RELEASE, [values for values in known if not values["running"]])
        add(connection, RELEASE, _all(unit.new_releases for unit in units))
        change(connection, _NEXT_RELEASE, [values for values in known if values["running"]])


def _place(unit: Prepared) -> tuple[bool, str, str]:
    """Units of targets first and as they came, the others in the order of their deliveries."""
    first = unit.inbox[0] if unit.inbox and unit.target is None else None
    return (unit.target is None, *(_DELIVERY(first) if first else ("", "")))


def _all(parts: Iterable[list[Values]]) -> list[Values]:
    return [values for part in parts for values in part]


def _layers(units: Sequence[Prepared]) -> list[list[Prepared]]:
    """A layer has one statement for each form, so units of one target that differ in it follow in another layer."""
    layers: list[list[Prepared]] = []
    last: dict[str, tuple[int, row_change.Form]] = {}
    for unit in units:
        level = 0
        if unit.target:
            level, before = last.get(unit.target, (0, unit.form))
            level += before != unit.form
            last[unit.target] = level, unit.form
        if level == len(layers):
            layers.append([])
        layers[level].append(unit)
    return layers
