"""Two versions over one database: whatever a stored value can have in it is known since a format that is counted."""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.codec import SCHEMA
from delivery.model.ids import target_id
from delivery.model.since import FLOOR, READS, SINCE, Formats, needed
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


LATER = Formats({"Sort.NEW": 2, "Part.extra": 3, "Part.kind=trend": 4})


def test_a_value_needs_what_is_in_it_and_no_more() -> None:
    assert LATER.stored(Whole((Part(), Part()))) == 1
    assert LATER.stored(Whole((Part(), Part(Sort.NEW)))) == 2
    assert LATER.stored({"a": Whole((Part(extra=0), Part(Sort.NEW)))}) == 3
    assert LATER.stored(Whole((Part(kind="trend"),))) == 4


@dataclass(frozen=True)
class Grown:
    added: tuple[str, ...] = ()
    whole: Whole | None = None


def test_a_new_field_that_is_always_written_is_always_needed() -> None:
    """Its default is in the bytes; in a service file it is not."""
    grown = Formats({"Grown.added": 2})
    assert grown.stored(Grown()) == 2
    assert grown.said(Grown()) == 1
    assert grown.said(Grown(("x",))) == 2


def test_a_value_within_values_is_found_wherever_it_is() -> None:
    for value in (Part(Sort.NEW), Whole((Part(), Part(Sort.NEW))), Grown(whole=Whole((Part(Sort.NEW),)))):
        assert LATER.stored(value) == 2
        assert LATER.said(value) == 2


def test_what_the_list_does_not_name_is_not_looked_at() -> None:
    """Every event of every release is asked about: most can have nothing in them that came later."""
    looked = []

    class Watched(Formats):
        def stored(self, value: object) -> int:
            looked.append(type(value))
            return super().stored(value)

    assert Watched({"Grown.added": 2}).stored(Grown(whole=Whole((Part(),)))) == 2
    assert looked == [Grown]


def test_an_ordinary_target_needs_no_more_than_the_version_before_reads() -> None:
    assert needed(Target(target_id("checkout", "local"), "checkout", "local")) == FLOOR
