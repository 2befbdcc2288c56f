"""How single values are written in files and bodies: `5%`, `1h30m`, names. Each reader says what it expects."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from delivery.model.ids import HOUR, Micros
from delivery.model.mistake import one_of

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_DURATION = re.compile(r"(?=[0-9])(?:([0-9]{1,6})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?(?:([0-9]{1,12})ms)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNITS = (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000))


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """`read` gives None for what is not `expected`. `blank` stands in then, so that reading can go on."""

    expected: str
    blank: T
    read: Callable[[object], T | None]


def text(longest: int = 200) -> Reader[str]:
    """One line of text without control characters or spaces around it."""

    def read(raw: object) -> str | None:
        good = isinstance(raw, str) and 0 < len(raw) <= longest and raw == raw.strip() and not _CONTROL.search(raw)
        return raw if isinstance(raw, str) and good else None

    return Reader(f"a line of text of at most {longest} characters (quoted, if it looks like a number)", "", read)


def pattern(regex: str, expected: str) -> Reader[str]:
    """Text that matches the whole of an expression."""
    compiled = re.compile(regex)
    return Reader(expected, "", lambda raw: raw if isinstance(raw, str) and compiled.fullmatch(raw) else None)


def name() -> Reader[str]:
    """A label of RFC 1123: it becomes part of host names, so that no other form is of use."""
    expected = "a name of lower case letters, digits and dashes, at most 63, with no dash at its ends"
    return Reader(expected, "", lambda raw: raw if isinstance(raw, str) and _NAME.fullmatch(raw) else None)


def flag() -> Reader[bool]:
    return Reader("true or false", False, lambda raw: raw if isinstance(raw, bool) else None)


def whole(low: int, high: int) -> Reader[int]:
    def read(raw: object) -> int | None:
        return raw if type(raw) is int and low <= raw <= high else None

    return Reader(f"a whole number from {low} to {high}", low, read)


def number(low: float, high: float) -> Reader[float]:
    def read(raw: object) -> float | None:
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return None
        return float(raw) if math.isfinite(raw) and low <= raw <= high else None

    return Reader(f"a number from {low:g} to {high:g}", low, read)


def percent(low: int = 1, high: int = 100) -> Reader[int]:
    """A whole percent, as the whole number: `5%` is 5. Proxies split traffic in whole percents."""

    def read(raw: object) -> int | None:
        match = _PERCENT.fullmatch(raw) if isinstance(raw, str) else None
        value = float(match[1]) if match else -1.0
        return int(value) if value.is_integer() and low <= value <= high else None

    return Reader(f"a whole percent from {low}% to {high}%", low, read)


def share(low: float = 0.0, high: float = 1.0) -> Reader[float]:
    """A percent that need not be whole, as a fraction: `0.1%` is 0.001."""

    def read(raw: object) -> float | None:
        match = _PERCENT.fullmatch(raw) if isinstance(raw, str) else None
        value = float(match[1]) / 100 if match else -1.0
        return value if low <= value <= high else None

    return Reader(f"a percent from {100 * low:g}% to {100 * high:g}%", low, read)


def duration(low: Micros = Micros(0), high: Micros = Micros(720 * HOUR)) -> Reader[Micros]:
    """`500ms`, `90s`, `1h30m`: units from large to small, each at most once."""

    def read(raw: object) -> Micros | None:
        match = _DURATION.fullmatch(raw) if isinstance(raw, str) else None
        if match is None:
            return None
        value = sum(int(digits or 0) * size for digits, (_, size) in zip(match.groups(), _UNITS, strict=True))
        return Micros(value) if low <= value <= high else None

    limits = f"from {show_duration(low)} to {show_duration(high)}"
    return Reader(f"a duration such as 90s or 1h30m, {limits}", low, read)


def choice(kind: type[E]) -> Reader[E]:
    """One of an enumeration's values."""
    values = {member.value: member for member in kind}
    return Reader(one_of(values), next(iter(kind)), lambda raw: values.get(raw) if isinstance(raw, str) else None)


def show_duration(value: Micros) -> str:
    """The shortest way to write a duration so that it reads the same again (to the millisecond)."""
    parts, left = [], int(value)
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"
