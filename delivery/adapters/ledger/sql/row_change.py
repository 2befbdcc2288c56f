"""The one statement that checks and changes a target's row, in the few forms that units need."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, String, Update, and_, bindparam, case, or_, update

from delivery.adapters.ledger.sql.tables import TARGET
from delivery.adapters.ledger.units import changed, hands_back
from delivery.ports.rows import Unit

_DUE = bindparam("b_due_at", type_=BigInteger)
_WHY = bindparam("b_due_why", type_=String)
_URGENT = bindparam("b_urgent", type_=Boolean)
_REQUIRES = bindparam("b_requires", type_=Integer)
_C = TARGET.c


@dataclass(frozen=True, slots=True)
class Form:
    """Which parts of the statement a unit needs."""

    expect: bool
    owner: bool
    row: bool
    wake: bool
    sooner: bool
    hands_back: bool

    @staticmethod
    def of(unit: Unit) -> "Form":
        return Form(
            expect=unit.expect is not None,
            owner=unit.owner is not None,
            row=unit.row is not None,
            wake=unit.wake is not None,
            sooner=unit.row is None and unit.wake is not None and unit.wake.sooner,
            hands_back=hands_back(unit),
        )


def parameters(unit: Unit, target: str) -> dict[str, Any]:
    """The values for the statement of the unit's form."""
    values: dict[str, Any] = {"b_id": target, "b_expect": unit.expect, "b_owner": unit.owner}
    if unit.row is not None:
        row = changed(unit.row, unit, None)  # the wake-up over the row, worked out here
        values |= {
            "b_due_at": row.due_at,
            "b_due_why": row.due_why,
            "b_urgent": row.urgent,
            "b_failures": row.failures,
            "b_quarantined": row.quarantined,
            "b_requires": row.requires,
        }
    elif unit.wake is not None:
        values |= {"b_due_at": unit.wake.due_at, "b_due_why": unit.wake.why, "b_urgent": unit.wake.urgent}
    return values


@cache
def statement(form: Form) -> Update:
    """Changes one row or, where something moved, none."""
    conditions = [_C.id == bindparam("b_id")]
    if form.expect:
        conditions.append(_C.version == bindparam("b_expect", type_=BigInteger))
    if form.owner:
        conditions.append(_C.owner == bindparam("b_owner"))
    return update(TARGET).where(and_(*conditions)).values(_values(form))


def _values(form: Form) -> Mapping[Any, Any]:
    values: dict[Any, Any] = {}
    if form.row:
        values[_C.version] = _C.version + 1
        values[_C.failures] = bindparam("b_failures")
        values[_C.quarantined] = bindparam("b_quarantined")
        values[_C.requires] = case((_C.requires > _REQUIRES, _C.requires), else_=_REQUIRES)
    if form.row or form.wake:
        values |= _due(form)
    if form.hands_back:
        values |= {_C.owner: "", _C.lease_until: 0}
    return values or {_C.version: _C.version}  # only the check, and the lock that makes it last


def _due(form: Form) -> Mapping[Any, Any]:
    due: Any = _DUE
    values: dict[Any, Any] = {_C.due_why: _WHY, _C.urgent: _URGENT}
    if form.sooner:
        earlier = and_(_DUE.is_not(None), or_(_C.due_at.is_(None), _C.due_at > _DUE))
        due = case((earlier, _DUE), else_=_C.due_at)
        values = {_C.due_why: case((earlier, _WHY), else_=_C.due_why), _C.urgent: or_(_C.urgent, _URGENT)}
    if form.owner:
        values[_C.due_at] = case((or_(_C.woken_at.is_(None), _C.woken_at >= due), due), else_=_C.woken_at)
    else:
        values[_C.due_at] = due
        first = or_(_C.woken_at.is_(None), _C.woken_at > _DUE)
        values[_C.woken_at] = case((and_(_C.owner != "", _DUE.is_not(None), first), _DUE), else_=_C.woken_at)
    return values
