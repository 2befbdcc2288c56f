"""A faster `replace` is the standard library's in all that it gives."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from delivery.model import frozen
from delivery.model.frozen import replace
from delivery.model.ids import Micros
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.model.traffic import Traffic
from delivery.ports.rows import Delivery, Measuring, Outgoing
from delivery.ports.rows import Row as LedgerRow


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    at: Micros
    notes: tuple[str, ...] = field(default=())


ROW = Row("checkout", Micros(1), ("one",))


def test_only_what_is_named_changes() -> None:
    changed = replace(ROW, at=Micros(2), notes=())
    assert changed == dataclasses.replace(ROW, at=Micros(2), notes=()) == Row("checkout", Micros(2))
    assert Row("checkout", Micros(1), ("one",)) == ROW
    assert replace(ROW) == ROW


def test_the_copy_is_as_frozen_and_hashed_alike() -> None:
    changed = replace(ROW, name="cart")
    assert hash(changed) == hash(Row("cart", Micros(1), ("one",)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.name = "basket"  # type: ignore[misc]


def test_a_field_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="Row has no field colour"):
        replace(ROW, colour="red")  # type: ignore[call-arg]


def test_a_class_that_checks_itself_still_does() -> None:
    with pytest.raises(ValueError):
        replace(Traffic(weight=30), weight=130)


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    at: Micros


@dataclass(frozen=True, slots=True)
class Numbered(Named):
    number: int = 0
    notes: tuple[str, ...] = ()


def test_fields_that_a_base_has_are_copied_too() -> None:
    assert replace(Numbered("a", Micros(1), 3), number=4, name="b") == Numbered("b", Micros(1), 4)


def test_every_value_that_the_engine_copies_is_copied_fast() -> None:
    for kind in (Release, Target, LedgerRow, Outgoing, Measuring, Delivery):
        assert frozen._copier(kind) is not None
