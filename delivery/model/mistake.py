"""Mistakes in what people wrote: where, what is wrong there, and what was expected."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from delivery.model.frozen import replace

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Mistake:
    """`place` is a path such as `strategies[1].canary.steps[0]`; `line` starts at 1, None where there is no text."""

    place: str
    line: int | None
    problem: str
    expected: str = ""

    def __str__(self) -> str:
        sentence = f"{self.place or 'the document'} {self.problem}"
        return f"{sentence}; expected {self.expected}" if self.expected else sentence


class Invalid(ValueError):
    """What was read cannot be used. Has every mistake that was found, in the order of the text."""

    def __init__(self, mistakes: Iterable[Mistake], file: str = "") -> None:
        self.mistakes = tuple(mistakes)
        self.file = file
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        lines = [f"{self._where(mistake)}{mistake}" for mistake in self.mistakes]
        return lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} mistakes", *(f"  {line}" for line in lines)])

    def _where(self, mistake: Mistake) -> str:
        where = ":".join(part for part in (self.file, str(mistake.line or "")) if part)
        return f"{where}: " if self.file else f"line {where}: " if where else ""


def inside(place: str, key: str | int) -> str:
    """The place of a key or index within another place. Keys that are no plain words are quoted."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f"{place}[{json.dumps(show_key(key))}]"
    return f"{place}.{key}" if place else key


def locate(mistakes: Iterable[Mistake], lines: Mapping[str, int]) -> tuple[Mistake, ...]:
    """The mistakes with the lines of their places, in the order of the text."""
    found = (m if m.line is not None else replace(m, line=line_of(m.place, lines)) for m in mistakes)
    return tuple(sorted(found, key=lambda mistake: mistake.line or 0))


def line_of(place: str, lines: Mapping[str, int]) -> int | None:
    """The line of a place, or of the nearest one around it that has one."""
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return lines.get(place)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown(word: str, known: Iterable[str]) -> str:
    """The problem text for a word that is none of the known ones."""
    meant = nearest(word, known)
    return f"is unknown, did you mean {meant}?" if meant else "is unknown"


def one_of(words: Iterable[str]) -> str:
    """The expectation for a choice."""
    names = list(words)
    return f"one of {', '.join(names)}" if len(names) > 1 else "".join(names) or "nothing"


def show(value: object) -> str:
    """A value as its writer would recognise it, short, on one line."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list" if value else "an empty list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def show_key(key: str) -> str:
    """A key short enough for a sentence."""
    return key if len(key) <= _LONGEST else f"{key[:_LONGEST]}..."
