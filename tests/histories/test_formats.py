"""Two versions over one database: whatever a stored value can have in it is known since a format that is counted."""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.codec import SCHEMA
from delivery.model.ids import target_id
from delivery.model.since import FLOOR, READS, SINCE, needed, walk
from delivery.model.target import Target
from tests.histories.formats import first, names


def test_what_came_later_says_with_which_format() -> None:
    """A new field, event or member: raise READS, and list it in SINCE with that number."""
    unsaid = set(names()) - first() - SINCE.keys()
    assert not unsaid, "say in delivery.model.since with which format these came"
    assert all(FLOOR < number <= READS for number in SINCE.values())


def test_nothing_is_taken_away_while_stored_bytes_may_have_it() -> None:
    """A name that goes needs a new SCHEMA with an upcaster, and FLOOR raised with it."""
    gone = first() - set(names())
    assert not gone or SCHEMA > 1, "stored bytes have these names: see CONTRIBUTING"
    assert FLOOR >= SCHEMA


def test_nothing_listed_is_misspelt() -> None:
    assert SINCE.keys() <= set(names())


class Sort(StrEnum):
    OLD = "old"
    NEW = "new"


@dataclass(frozen=True)
class Part:
    sort: Sort = Sort.OLD
    kind: str = "ratio"
    extra: int | None = None


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...] = ()


LATER = {"Sort.NEW": 2, "Part.extra": 3, "Part.kind=trend": 4}


def test_a_value_needs_what_is_in_it_and_no_more() -> None:
    assert walk(Whole((Part(), Part())), LATER, stored=True) == 1
    assert walk(Whole((Part(), Part(Sort.NEW))), LATER, stored=True) == 2
    assert walk({"a": Whole((Part(extra=0), Part(Sort.NEW)))}, LATER, stored=True) == 3
    assert walk(Whole((Part(kind="trend"),)), LATER, stored=True) == 4


@dataclass(frozen=True)
class Grown:
    added: tuple[str, ...] = ()


def test_a_new_field_that_is_always_written_is_always_needed() -> None:
    """Its default is in the bytes; in a service file it is not."""
    assert walk(Grown(), {"Grown.added": 2}, stored=True) == 2
    assert walk(Grown(), {"Grown.added": 2}, stored=False) == 1
    assert walk(Grown(("x",)), {"Grown.added": 2}, stored=False) == 2


def test_an_ordinary_target_needs_no_more_than_the_version_before_reads() -> None:
    assert needed(Target(target_id("checkout", "local"), "checkout", "local")) == FLOOR
