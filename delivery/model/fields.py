"""Reading a mapping that a person wrote: every value by what it should be, every mistake kept with its place.

A mistake does not stop the reading: a stand-in value takes its place, and whoever started calls `finish` (or `check`)
before using what was read. Keys that nobody asked for are mistakes too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, Literal, TypeVar

from delivery.model import scalars
from delivery.model.ids import HOUR, Micros
from delivery.model.mistake import Invalid, Mistake, inside, line_of, one_of, show, unknown
from delivery.model.scalars import Reader

T = TypeVar("T")
D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)


class _Missing(Enum):
    REQUIRED = "required"


REQUIRED: Final = _Missing.REQUIRED
Required = Literal[_Missing.REQUIRED]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What all mappings of one text share. `seen` has each mapping by its place, with the keys that were asked for."""

    lines: Mapping[str, int]
    mistakes: list[Mistake] = field(default_factory=list)
    seen: dict[str, tuple[Mapping[str, object], dict[str, None]]] = field(default_factory=dict)


class Fields:
    """One mapping being read. `place` is where it stands, `lines` has the line of every place of the text.

    Getters take a default for a key that is absent; without one the key is required. A key that is there but empty is
    a mistake.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        place: str = "",
        lines: Mapping[str, int] | None = None,
        reading: _Reading | None = None,
    ) -> None:
        self.place = place
        self._reading = reading or _Reading(lines or {})
        self._values, self._asked = self._reading.seen.setdefault(place, (values, {}))

    def __contains__(self, key: str) -> bool:
        self._asked[key] = None
        return key in self._values

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that are there, read or not."""
        return tuple(self._values)

    # single values

    def get(self, key: str, reader: Reader[T], default: D | Required = REQUIRED) -> T | D:
        """The value of a key, by any reader."""
        if key not in self:
            if default is not REQUIRED:
                return default
            self.wrong(key, "is missing", reader.expected)
            return reader.blank
        return self._one((self.place, key), self._values[key], reader)

    def text(self, key: str, default: D | Required = REQUIRED, *, longest: int = 200) -> str | D:
        return self.get(key, scalars.text(longest), default)

    def name(self, key: str, default: D | Required = REQUIRED) -> str | D:
        """A DNS-1123 label."""
        return self.get(key, scalars.name(), default)

    def flag(self, key: str, default: D | Required = REQUIRED) -> bool | D:
        return self.get(key, scalars.flag(), default)

    def whole(self, key: str, default: D | Required = REQUIRED, *, low: int = 0, high: int = 10**9) -> int | D:
        return self.get(key, scalars.whole(low, high), default)

    def number(self, key: str, default: D | Required = REQUIRED, *, low: float = 0.0, high: float = 1e9) -> float | D:
        return self.get(key, scalars.number(low, high), default)

    def percent(self, key: str, default: D | Required = REQUIRED, *, low: int = 1, high: int = 100) -> int | D:
        """A whole percent as a whole number: `5%` is 5."""
        return self.get(key, scalars.percent(low, high), default)

    def share(self, key: str, default: D | Required = REQUIRED, *, low: float = 0.0, high: float = 1.0) -> float | D:
        """A percent as a fraction: `0.1%` is 0.001."""
        return self.get(key, scalars.share(low, high), default)

    def duration(
        self,
        key: str,
        default: D | Required = REQUIRED,
        *,
        low: Micros = Micros(0),
        high: Micros = Micros(720 * HOUR),
    ) -> Micros | D:
        return self.get(key, scalars.duration(low, high), default)

    def choice(self, key: str, kind: type[E], default: D | Required = REQUIRED) -> E | D:
        return self.get(key, scalars.choice(kind), default)

    # lists and mappings

    def many(
        self, key: str, reader: Reader[T], default: D | Required = REQUIRED, *, least: int = 0
    ) -> tuple[T, ...] | D:
        """A list of values, each by the same reader."""
        if key not in self and default is not REQUIRED:
            return default
        place = inside(self.place, key)
        items = self._list(key, least, reader.expected)
        return tuple(self._one((place, index), item, reader) for index, item in enumerate(items))

    def one_or_many(self, key: str, reader: Reader[T], default: D | Required = REQUIRED) -> tuple[T, ...] | D:
        """A list of values, or a single one without the list around it."""
        if key not in self or self.is_list(key):
            return self.many(key, reader, default, least=1)
        return (self.get(key, reader),)

    def is_list(self, key: str) -> bool:
        """Whether a list stands there, for keys that may have one or a single thing."""
        return key in self and isinstance(self._values[key], list | tuple)

    def sub(self, key: str) -> "Fields":
        """The mapping below a key; an empty one where it is absent or has nothing in it."""
        return self._mapping(inside(self.place, key), self._values[key] if key in self else None)

    def subs(self, key: str, *, least: int = 0, such_as: str = "") -> tuple["Fields", ...]:
        """The mappings of a list below a key; none where it is absent and none is needed."""
        if key not in self and not least:
            return ()
        place = inside(self.place, key)
        items = self._list(key, least, f"a mapping such as {such_as}" if such_as else "a mapping")
        return tuple(self._mapping(inside(place, index), item) for index, item in enumerate(items))

    def named(self, key: str) -> Mapping[str, "Fields"]:
        """The mappings below the keys of a mapping, by key. What they are called is up to the writer."""
        outer = self.sub(key)
        return {name: outer.sub(name) for name in outer.keys}

    def only(self, known: Collection[str]) -> str | None:
        """The key of a mapping that has exactly one, which must be a known one; None (and a mistake) otherwise."""
        self.skip()
        if len(self.keys) != 1:
            there = ", ".join(inside("", key) for key in self.keys)
            what = f"has {len(self.keys)} keys ({there})" if there else "is empty"
            self.wrong(None, what, f"exactly {one_of(known)}")
            return None
        (key,) = self.keys
        if key in known:
            return key
        self.wrong(key, unknown(key, known), one_of(known))
        return None

    # mistakes

    def wrong(self, key: str | None, problem: str, expected: str = "", *, index: int | None = None) -> None:
        """Notes a mistake at a key (at one item of its list), or at the mapping itself.

        `problem` goes on a sentence begun with the place.
        """
        place = self.place if key is None else inside(self.place, key)
        self._wrong(place if index is None else inside(place, index), problem, expected)

    def sound(self, key: str) -> bool:
        """Whether no mistake was noted so far at a key or below it."""
        place = inside(self.place, key)
        return not any(mistake.place.startswith(place) for mistake in self._reading.mistakes)

    def refuse(self, keys: Collection[str], problem: str) -> None:
        """Notes a mistake at each of these keys that is there."""
        for key in keys:
            if key in self._values:
                self._asked[key] = None
                self.wrong(key, problem)

    def skip(self) -> None:
        """Takes every key as read: after a mistake that makes it pointless to read on."""
        self._asked.update(dict.fromkeys(self.keys))

    def finish(self) -> tuple[Mistake, ...]:
        """All mistakes of this text, in its order. A key that nobody asked for is one, in any mapping that was read."""
        for place, (values, asked) in self._reading.seen.items():
            for key in values:
                if key not in asked:
                    self._wrong(inside(place, key), unknown(key, asked), one_of(asked))
        return tuple(sorted(dict.fromkeys(self._reading.mistakes), key=lambda mistake: mistake.line or 0))

    def check(self, file: str = "") -> None:
        """Raises Invalid if anything was wrong."""
        mistakes = self.finish()
        if mistakes:
            raise Invalid(mistakes, file)

    def _wrong(self, place: str, problem: str, expected: str) -> None:
        self._reading.mistakes.append(Mistake(place, line_of(place, self._reading.lines), problem, expected))

    def _one(self, where: tuple[str, str | int], raw: object, reader: Reader[T]) -> T:
        value = reader.read(raw)
        if value is not None:
            return value
        self._wrong(inside(*where), f"is {show(raw)}", reader.expected)
        return reader.blank

    def _list(self, key: str, least: int, of: str) -> Sequence[object]:
        expected = f"a list of {least} or more, each {of}" if least else f"a list, each {of}"
        if key not in self:
            self.wrong(key, "is missing", expected)
            return ()
        raw = self._values[key]
        if not isinstance(raw, list | tuple) or len(raw) < least:
            self.wrong(key, f"is {show(raw)}", expected)
            return ()
        return raw

    def _mapping(self, place: str, raw: object) -> "Fields":
        if raw is not None and not isinstance(raw, Mapping):
            self._wrong(place, f"is {show(raw)}", "a mapping")
            raw = None
        return Fields(raw or {}, place, reading=self._reading)
