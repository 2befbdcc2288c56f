"""Names for plain values, so that signatures say what a number or a string means."""

from typing import Annotated, NewType

Micros = NewType("Micros", int)
"""A time (microseconds since the epoch, UTC) or a span of time, in microseconds."""

ReleaseId = NewType("ReleaseId", str)
TargetId = NewType("TargetId", str)
"""`SERVICE@CLUSTER`."""
GateId = NewType("GateId", str)
HookId = NewType("HookId", str)
Principal = NewType("Principal", str)
"""One person or robot, however it came in (chat, page, token): the unit of four eyes."""
PERSONAL = "personal"
Said = Annotated[str, PERSONAL]
"""What a person typed, or what may name one. With the names themselves it is stored apart, so that it can be erased."""

SECOND = Micros(1_000_000)
MINUTE = Micros(60 * SECOND)
HOUR = Micros(60 * MINUTE)


def target_id(service: str, cluster: str) -> TargetId:
    return TargetId(f"{service}@{cluster}")
