"""The history in and out: exports that anybody can check, and what was done to the history itself."""

from collections.abc import Iterator
from secrets import token_hex
from typing import Annotated

import structlog
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api.access import reach
from api.auth import Admin, Viewer
from api.openapi import READ, WRITE
from api.problems import Problem
from api.schemas.admin import ExportedIn, RecordOut, RecordsOut
from api.schemas.common import Name
from api.services import AppServices, Services
from api.views.common import stored_events
from delivery.model.export import Writer, released
from delivery.model.ids import HOUR, Micros
from delivery.model.record import Entry, RecordKind, StoredRecord
from delivery.wording.units import instant

router = APIRouter(prefix="/v1/history", tags=["history"])
PAGE = 50
MEDIA = "application/x-ndjson"
Since = Annotated[AwareDatetime | None, Query(description="What ended then or later.")]
Until = Annotated[AwareDatetime | None, Query(description="What ended before.")]
log = structlog.get_logger()


@router.get(
    "/export",
    responses=READ
    | {200: {"description": "Lines of JSON, the last one tells that it is whole.", "content": {MEDIA: {}}}},
    response_class=StreamingResponse,
)
def export(
    services: Services, _: Viewer, service: Name | None = None, since: Since = None, until: Until = None
) -> StreamingResponse:
    """Export releases that are over, in the order of their ends, and all records: hash-chained, as a stream."""
    first, last = _micros(since, Micros(0)), _micros(until, services.clock.now())
    return StreamingResponse(_lines(services, service, first, last), media_type=MEDIA)


@router.get("/records", responses=READ)
def list_records(
    services: Services,
    _: Viewer,
    after: Annotated[int, Query(ge=0, lt=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RecordsOut:
    """List what was done to the history itself: releases taken away, names erased, exports."""
    found = services.history.records(after, limit)
    return RecordsOut(records=[shown(one) for one in found], next=found[-1].n if len(found) == limit else None)


@router.post("/exported", status_code=201, responses=WRITE)
def exported(services: Services, caller: Admin, body: ExportedIn) -> RecordOut:
    """Say that all that ended before a time is in your hands. With `export_first` nothing newer is taken away."""
    reach.check_whole(caller)
    until = _micros(body.until, Micros(0))
    if until > services.clock.now() - HOUR:
        raise Problem("invalid", "until has to be an hour ago at least: what ends now may still be on its way")
    entry = Entry(RecordKind.EXPORTED, {"until": until}, by=caller.principal, salt=token_hex(16))
    log.info("history_exported", until=until, by=caller.principal)
    return shown(services.retention.record(entry))


def shown(record: StoredRecord) -> RecordOut:
    return RecordOut(
        n=record.n, at=instant(record.at), kind=record.kind.value, by=record.by or None, data=dict(record.data),
        body=record.body.decode(), said=record.said.decode(), prev=record.prev, hash=record.hash,
    )  # fmt: skip


def _lines(services: AppServices, service: str | None, since: Micros, until: Micros) -> Iterator[bytes]:
    """Read a few releases at a time: however long the history is, little of it is in memory."""
    writer, history = Writer(), services.history
    yield writer.head({"service": service, "since": since, "until": until, "server": services.public_url})
    after = None
    while page := history.ended(since, until, PAGE, after):
        for one in page:
            if service not in (None, one.target.partition("@")[0]):
                continue
            if events := stored_events(history, one.release):  # none: it was taken away just now, a record tells
                yield from released(one, events, writer)
        after = page[-1].finished_at, page[-1].release
    number = 0
    while records := history.records(number):
        for record in records:
            yield writer.record(record)
        number = records[-1].n
    yield writer.end()


def _micros(time: AwareDatetime | None, otherwise: Micros) -> Micros:
    return otherwise if time is None else Micros(int(time.timestamp() * 1_000_000))
