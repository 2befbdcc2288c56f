"""How long what is over is kept."""

import re
from functools import partial
from typing import Annotated

from pydantic import BeforeValidator, Field

from delivery.model.ids import HOUR, Micros
from delivery.settings.base import Model

DAY = Micros(24 * HOUR)
EVENTS_LEAST, TICKS_LEAST, QUEUE_LEAST = 30, 1, 7
"""Days. A sender may send a delivery again for days (GitHub: three), a message may be tried for one, and a rollback
window is at most 30."""
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
    """None: for ever. `export_first`: no release goes before somebody has said that it is exported.

    `names_apart`: names and words of people are stored beside what is hashed. The version before cannot read that.
    """

    events: Annotated[Micros | None, BeforeValidator(partial(_days, least=EVENTS_LEAST))] = Field(
        default=None, description=_text(EVENTS_LEAST)
    )
    names_apart: bool = Field(default=True, description="true or false")
    export_first: bool = Field(default=False, description="true or false")
    ticks: Annotated[Micros | None, BeforeValidator(partial(_days, least=TICKS_LEAST))] = Field(
        default=Micros(30 * DAY), description=_text(TICKS_LEAST)
    )
    inbox: Annotated[Micros | None, BeforeValidator(partial(_days, least=QUEUE_LEAST))] = Field(
        default=Micros(90 * DAY), description=_text(QUEUE_LEAST)
    )
    outbox: Annotated[Micros | None, BeforeValidator(partial(_days, least=QUEUE_LEAST))] = Field(
        default=Micros(90 * DAY), description=_text(QUEUE_LEAST)
    )
