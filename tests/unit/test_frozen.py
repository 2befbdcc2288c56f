"""A faster `replace` is the standard library's in all that it gives."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from delivery.model.frozen import replace
from delivery.model.ids import Micros
from delivery.model.traffic import Traffic


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
