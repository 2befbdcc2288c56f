"""How long what is over is kept."""

import re
from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field

from delivery.model.ids import HOUR, Micros
from delivery.settings.base import Model

DAY = Micros(24 * HOUR)
TICKS_LEAST, QUEUE_LEAST = 1, 7
"""Days. A sender may send a delivery again for days (GitHub: three), and a message may be tried for one."""
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


def _days(raw: object, least: int) -> object:
    if raw == "forever":
        return None
    match = _DAYS.fullmatch(raw) if isinstance(raw, str) else None
    if match is None or int(match[1]) < least:
        raise ValueError("not a number of days")
    return int(match[1]) * DAY


def _text(least: int) -> str:
    return f'"forever", or a number of days such as "90d", at least "{least}d"'


class Retention(Model):
    """None: for ever."""

    ticks: Annotated[Micros | None, BeforeValidator(partial(_days, least=TICKS_LEAST))] = Field(
        default=Micros(30 * DAY), description=_text(TICKS_LEAST)
    )
    inbox: Annotated[Micros | None, BeforeValidator(partial(_days, least=QUEUE_LEAST))] = Field(
        default=Micros(90 * DAY), description=_text(QUEUE_LEAST)
    )
    outbox: Annotated[Micros | None, BeforeValidator(partial(_days, least=QUEUE_LEAST))] = Field(
        default=Micros(90 * DAY), description=_text(QUEUE_LEAST)
    )
