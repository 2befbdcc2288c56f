"""One release."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.access.page import PageCaller, PageViewer
from api.pages.frame import framed, root
from api.pages.static_files import DIGEST
from api.pages.views.release import Line, shown
from api.problems import Problem
from api.routes.lookup import Id, find
from api.services import App, Running
from api.views.events import kind
from delivery.model.event import EVENTS
from delivery.model.ids import SECOND, ReleaseId
from delivery.model.release import Release
from delivery.wording.action import ACTIONS

router = APIRouter(include_in_schema=False)
KINDS = " ".join((*(kind(event.__name__) for event in EVENTS), "end"))
"""What the release's stream sends."""
AGES = 30 * SECOND
"""So old is what a page says about how long ago things were, and how long they take yet, where nothing else changes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was done. `since`: what had happened since the person saw the page."""

    title: str
    cause: str
    next: str
    since: tuple[Line, ...] = ()


@router.get("/releases/{id}")
def release_page(
    app: App, viewer: PageViewer, request: Request, given: Id, did: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """An open page that asks again with the tag of what it shows is told where there is nothing new."""
    tag = _tag(app, viewer, given)
    if tag and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    done = ACTIONS[did].done if did in ACTIONS else ""
    response = show(app, request, viewer, find(app.services, given).release, done=done)
    response.headers["ETag"] = tag
    return response


def _tag(app: Running, viewer: PageCaller, given: str) -> str:
    """Of what this viewer would be shown, read before it is; empty where there is no such release."""
    mark = app.services.history.mark(ReleaseId(given))
    shown = (mark, app.services.clock.now() // AGES, viewer.caller, viewer.csrf, DIGEST)
    return f'"{sha256(repr(shown).encode()).hexdigest()}"' if mark else ""


@router.get("/releases/{id}/{action}")
async def answered(app: App, given: Id, action: str) -> Response:
    """Where a form's answer was, for whoever comes back to it: the release as it is now."""
    if action not in ACTIONS:
        raise Problem("not-found", f"a release knows no action {action}")
    return RedirectResponse(f"{root(app)}/releases/{quote(given)}", 303)


def show(
    app: Running,
    request: Request,
    viewer: PageCaller,
    release: Release,
    *,
    status: int = 200,
    done: str = "",
    problem: Refused | None = None,
) -> Response:
    """The page of a release as it is now. Raises Unavailable."""
    return framed(
        app,
        request,
        viewer,
        "release.html",
        status,
        shown=shown(app.services, release, viewer.caller, root(app)),
        kinds=KINDS,
        key=uuid4().hex,
        done=done,
        problem=problem,
    )
