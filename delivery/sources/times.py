"""Times as they are written on the wire (RFC 3339)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from delivery.model.ids import Micros
from delivery.model.scalars import pattern

TIME: Final = pattern(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)",
    "a time such as 2026-11-24T10:02:11Z (RFC 3339)",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: str) -> Micros | None:
    """An RFC 3339 time, to the microsecond; None for one without a zone, a date or an hour that does not exist."""
    digits = re.sub(r"([.][0-9]{6})[0-9]+", r"\1", time.upper())
    try:
        found = datetime.fromisoformat(digits)
        return Micros((found - _EPOCH) // timedelta(microseconds=1)) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
