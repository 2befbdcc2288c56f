"""Freeze windows: whether one is open, and when that changes. Pure: the rules and a time in.

A window opens at each time of its cron expression, by the clocks of its time zone, and lasts a span of real time: in
the weekend when clocks change, `60h` from Friday 18:00 ends at 05:00 or 07:00 on Monday.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from delivery.model.context import Freeze
from delivery.model.ids import SECOND, Micros
from delivery.model.service import FreezeRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_ANY = Micros(0)


def frozen(rules: Sequence[FreezeRule], now: Micros) -> tuple[Freeze | None, Micros | None]:
    """The window that is open now (the one that closes last, if several are), and the next time to look again."""
    windows = [window for rule in rules if (window := _open(rule, now))]
    if windows:
        longest = max(windows, key=lambda window: window.end)
        return longest, longest.end
    return None, min((start for rule in rules if (start := _next(rule, now))), default=None)


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: "Europe" is a directory
        return False
    return True


def problem(rule: FreezeRule) -> str | None:
    """What is wrong with a rule's expression; its zone must be one."""
    if len(rule.cron.split()) != 5:
        return "not five fields"
    try:
        return None if _next(rule, _ANY) else "no day has that date"
    except CronSimError as error:
        return str(error)


def _open(rule: FreezeRule, now: Micros) -> Freeze | None:
    start = _last(rule, now)
    if start is None or start + rule.lasts <= now:
        return None
    return Freeze(f"{rule.cron} {rule.tz}", start, Micros(start + rule.lasts))


def _last(rule: FreezeRule, now: Micros) -> Micros | None:
    """The last opening up to `now`, that time included."""
    return _opening(rule, now // SECOND, back=True)


def _next(rule: FreezeRule, now: Micros) -> Micros | None:
    """The first opening after `now`."""
    return _opening(rule, now // SECOND, back=False)


@lru_cache(maxsize=4096)
def _opening(rule: FreezeRule, second: int, *, back: bool) -> Micros | None:
    """Openings are at whole seconds, so that all that is decided within one has the same: reading an expression takes
    longer than many a decision.
    """
    now = Micros(second * SECOND)
    if back:
        return next((start for start in _starts(rule, now, reverse=True) if start <= now), None)
    return next((start for start in _starts(rule, now, reverse=False) if start > now), None)


def _starts(rule: FreezeRule, now: Micros, *, reverse: bool) -> Iterator[Micros]:
    """Openings from `now` on, or back. Around a change of clocks the first ones may be on the other side of it."""
    local = (_EPOCH + timedelta(microseconds=now)).replace(microsecond=0).astimezone(ZoneInfo(rule.tz))
    if reverse:
        # The library goes by the clock's face: where an hour comes twice, what it shows later may have been before.
        local += timedelta(hours=local.fold) + _TICK
    for found in CronSim(rule.cron, local, reverse=reverse):
        yield Micros((found - _EPOCH) // _TICK)
