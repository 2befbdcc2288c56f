"""Stored events as lines of history."""

import json
import re

from api.schemas.release import EventOut
from delivery.model.codec import StoredEvent
from delivery.model.plan import Plan
from delivery.model.said import together
from delivery.wording.history import line
from delivery.wording.units import instant

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def kind(name: str) -> str:
    """`stage_entered` for the type StageEntered."""
    return _WORD.sub("_", name).lower()


def event(stored: StoredEvent, plan: Plan) -> EventOut:
    """The event with the sentence for it. `data` is as it was stored, whatever its schema."""
    document = together(json.loads(stored.body), stored.said)
    return EventOut(
        seq=stored.seq,
        at=instant(stored.at),
        type=kind(stored.type),
        text=line(stored.event, plan),
        schema_=document["schema"],
        data=document["data"],
        body=stored.body.decode(),
        said=stored.said.decode(),
        prev=stored.prev,
        hash=stored.hash,
    )
