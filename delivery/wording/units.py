"""Numbers, times and spans as people read them."""

import math
from datetime import UTC, datetime, timedelta

from delivery.model.ids import SECOND, Micros

THIN = "\u202f"
"""A narrow space that does not break: between thousands, and before a percent sign."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number(value: int) -> str:
    """9950 as 9 950."""
    return f"{value:,}".replace(",", THIN)


def percent(value: float) -> str:
    """A percentage with at most one digit after the point, two below 1: `5 %`, `0.25 %`."""
    digits = 2 if 0 < abs(value) < 1 else 1
    return f"{_trim(f'{value:.{digits}f}')}{THIN}%"


def ratio(value: float) -> str:
    """How many times: two significant digits, three close to 1, where they are what matters."""
    if value >= 99.5:
        return number(round(value)) if math.isfinite(value) else "∞"
    return _trim(f"{value:.2f}") if 0.95 <= value < 1.05 else f"{value:.2g}"


def duration(span: Micros | int) -> str:
    """`1.8s`, `45s`, `2m30s`, `1h30m`, `3d4h`: rounded to what matters at that size."""
    if span < 10 * SECOND:
        return f"{_trim(f'{max(span, 0) / SECOND:.1f}')}s"
    seconds = round(span / SECOND)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return _pair(seconds, 60, "m", "s")
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return _pair(minutes, 60, "h", "m")
    return _pair(round(minutes / 60), 24, "d", "h")


def instant(at: Micros | int) -> str:
    """A time for programs: RFC 3339, UTC, to the millisecond."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(at: Micros | int) -> str:
    """A time for people: `2026-11-24 10:02:11 UTC`."""
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%d %H:%M:%S} UTC"


def listed(items: tuple[str, ...] | list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def cut(text: str, most: int) -> str:
    """The text, at most so many characters long."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def capital(sentence: str) -> str:
    """With a capital, unless it begins with a name such as `ab_test`."""
    return sentence if "_" in sentence.partition(" ")[0] else sentence[:1].upper() + sentence[1:]


def counted(count: int, noun: str) -> str:
    """`1 proxy` is the caller's word; `3 requests` gets its s."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def _pair(value: int, per: int, big: str, small: str) -> str:
    whole, rest = divmod(value, per)
    return f"{whole}{big}{rest}{small}" if rest else f"{whole}{big}"


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
