"""The stop, the inbox, the outbox, alerts and health."""

from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, field_validator

from api.schemas.common import In, Line, Out, Reason, Time

SCOPE = r"^(\*|cluster:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?|owner:[A-Za-z0-9._@/+-]{1,128})$"


class StopIn(In):
    """`scope`: `*` for everything, `cluster:NAME` or `owner:NAME`."""

    scope: str = Field("*", pattern=SCOPE)
    reason: Reason = Field(min_length=1)

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"scope": "cluster:prod-eu", "reason": "incident 7"}]}
    )


class StopOut(Out):
    scope: str
    by: str
    reason: str
    since: Time


class StopsOut(Out):
    """Nothing rises in these scopes. Reverts go on."""

    stops: list[StopOut]


class DeliveryKey(In):
    source: Line
    key: str = Field(min_length=1, max_length=1000)  # what makes a delivery one may be long, and escaped


class DeliveriesIn(In):
    deliveries: list[DeliveryKey] = Field(min_length=1, max_length=100)


class DeliveryHeadOut(Out):
    source: str
    key: str
    received_at: Time
    state: str
    outcome: str
    reason: str
    error: str


class DeliveryOut(DeliveryHeadOut):
    body: str = Field(description="As it came, at most 64 KiB of it.")


class InboxOut(Out):
    deliveries: list[DeliveryHeadOut]


class ReplayOut(Out):
    source: str
    key: str
    outcome: str
    reason: str
    text: str
    release: str | None = None


class ReplayedOut(Out):
    """What became of each delivery now. One that is still unknown or refused stays as it was."""

    replayed: list[ReplayOut]
    text: str


class KeysIn(In):
    keys: list[str] = Field(min_length=1, max_length=100)


class OutgoingOut(Out):
    key: str
    channel: str
    release: str
    seq: int
    topic: str
    due_at: Time
    state: str
    attempts: int
    error: str


class OutboxOut(Out):
    messages: list[OutgoingOut]


class DoneOut(Out):
    """What became of each row that was named."""

    done: list[str]
    text: str


class AlertOut(Out):
    at: Time
    kind: str
    subject: str
    detail: str


class AlertsOut(Out):
    alerts: list[AlertOut]


class WorkerOut(Out):
    name: str
    heard_at: Time
    silent: bool


class ReadyOut(Out):
    """`degraded`: what comes in is stored, but no worker was heard lately, so nothing moves."""

    status: Literal["ready", "degraded"]
    workers: list[WorkerOut]
    text: str


class HealthOut(Out):
    status: Literal["ok"]


class RecordOut(Out):
    """What was done to the history itself. `hash` is SHA-256 over `prev`, a line feed and `body`."""

    n: int
    at: Time
    kind: str
    by: str | None
    data: dict[str, Any]
    body: str
    said: str
    prev: str
    hash: str


class RecordsOut(Out):
    records: list[RecordOut]
    next: int | None = Field(None, description="Ask again with `after` set to this; null when these are the last.")


class ExportedIn(In):
    until: AwareDatetime = Field(description="All that ended before is in your hands.")


class EraseIn(In):
    """All names of one person. `key` and `cursor` are those that the step before answered."""

    names: list[Line] = Field(min_length=1, max_length=20)
    key: str | None = Field(None, pattern=r"^[0-9a-f]{4,16}$")
    cursor: str | None = Field(None, max_length=1000)

    @field_validator("names")
    @classmethod
    def _long_enough(cls, names: list[str]) -> list[str]:
        if short := [name for name in names if len(name.strip()) < 3]:
            raise ValueError(f"{short[0]!r} is too short to be told from other words")
        return names


class ErasedOut(Out):
    """`changed` counts the rows of this step. `next` is where to go on, null when all was gone through."""

    key: str
    stand_in: str
    changed: int
    next: str | None
