"""What happens as it happens (Server-Sent Events): to one release, and to all that are open."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated

from fastapi import APIRouter, Header, Response
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from api.auth import Viewer
from api.openapi import READ, errors
from api.problems import Problem
from api.routes.lookup import Found, find
from api.schemas.common import Name
from api.services import App, AppServices, Running
from api.views.common import state
from api.views.events import event
from api.views.release import summary
from delivery.model.codec import StoredEvent
from delivery.model.ids import ReleaseId
from delivery.model.release import Release
from delivery.ports.errors import Unavailable
from delivery.ports.history import History
from delivery.ports.rows import StoredRelease

router = APIRouter(prefix="/v1/releases", tags=["releases"])
MOST = 1000
"""Open releases that the stream of all follows: the newest."""
EVERY = 0.5
"""Seconds between two looks. A look is one indexed read, and people cannot tell."""
PING = 15
LASTS = 900.0
"""Seconds after which a stream ends, so that its reader comes again and shows anew who they are: their token may be
revoked by then, or their session over.
"""
LastId = Annotated[
    int | None,
    Header(alias="Last-Event-ID", ge=0, lt=2**31, description="The number of the last event that was seen."),
]


@router.get(
    "/stream",
    responses=READ
    | errors("too-many-streams")
    | {
        200: {
            "description": "`release` with what the list shows of it, each time that something happened to it.",
            "content": {"text/event-stream": {"example": 'event: release\ndata: {"id": "rel_01JD", "number": 412}'}},
        }
    },
    response_class=EventSourceResponse,
)
async def stream_all(app: App, _: Viewer, service: Name | None = None, cluster: Name | None = None) -> Response:
    """Follow all releases: each that is open now, then each as it changes, its end too. After 15 minutes come again."""
    _room(app)
    return EventSourceResponse(_follow_all(app, service, cluster), ping=PING)


@router.get(
    "/{id}/stream",
    responses=READ
    | errors("unknown-release", "too-many-streams")
    | {
        200: {
            "description": "Each event under its type with its number as id; `end` with the state when it is over.",
            "content": {
                "text/event-stream": {"example": 'id: 4\nevent: stage_entered\ndata: {"seq": 4, "text": "..."}'}
            },
        },
        204: {"description": "It is over and everything was seen: do not reconnect."},
    },
    response_class=EventSourceResponse,
)
async def stream(app: App, _: Viewer, stored: Found, last: LastId = None) -> Response:
    """Follow a release: every event so far, then each as it happens. Reconnect with Last-Event-ID to miss none."""
    release = stored.release
    if last is not None and release.phase.closed and last >= release.seq:
        return Response(status_code=204)
    _room(app)
    return EventSourceResponse(_follow(app, release.id, last or 0), ping=PING)


def _room(app: Running) -> None:
    if app.streams.full:
        raise Problem("too-many-streams", "this process streams to as many as it can", {"Retry-After": "5"})


async def _follow_all(app: Running, service: str | None, cluster: str | None) -> AsyncIterator[ServerSentEvent]:
    services, heads, until = app.services, Heads(), time.monotonic() + LASTS
    with app.streams.one():
        while time.monotonic() < until:
            try:
                changed = await run_in_threadpool(heads.look, services.history)
            except Unavailable:  # the next look may find it again
                changed = ()
            for release in changed:
                shown = summary(services.public_url, release)
                if service in (None, shown.service) and cluster in (None, shown.cluster):
                    yield ServerSentEvent(shown.model_dump_json(by_alias=True), event="release")
            await asyncio.sleep(EVERY)


class Heads:
    """What was seen last of each open release. One that is not among them any more is over, or one of too many."""

    def __init__(self) -> None:
        self._seen: Mapping[ReleaseId, int] = {}

    def look(self, history: History) -> tuple[Release, ...]:
        """Those that changed since the last look, oldest first. Raises Unavailable, and then forgets nothing."""
        heads = history.open_heads(MOST)
        moved = {release for release, seq in heads.items() if self._seen.get(release) != seq}
        gone = self._seen.keys() - heads.keys()
        found = [history.release(release) for release in sorted(moved | gone)]
        self._seen = heads
        return tuple(stored.release for stored in found if stored is not None)


async def _follow(app: Running, release: ReleaseId, last: int) -> AsyncIterator[ServerSentEvent]:
    until = time.monotonic() + LASTS
    with app.streams.one():
        while time.monotonic() < until:
            try:
                stored, events = await run_in_threadpool(_look, app.services, release, last)
            except Unavailable:  # the next look may find it again
                await asyncio.sleep(EVERY)
                continue
            for one in events:
                last = one.seq
                shown = event(one, stored.release.plan)
                yield ServerSentEvent(shown.model_dump_json(by_alias=True), event=shown.type, id=str(last))
            if stored.release.phase.closed and last >= stored.release.seq:
                yield ServerSentEvent(f'{{"state": "{state(stored.release.phase)}"}}', event="end")
                return
            if not events:
                await asyncio.sleep(EVERY)


def _look(services: AppServices, release: ReleaseId, last: int) -> tuple[StoredRelease, tuple[StoredEvent, ...]]:
    """The release first: events up to its number are then there."""
    return find(services, release), services.history.events(release, last)
