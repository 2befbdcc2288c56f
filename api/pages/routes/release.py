"""One release."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.access.page import PageCaller, PageViewer
from api.pages.frame import framed, root
from api.pages.views.release import Line, shown
from api.problems import Problem
from api.routes.lookup import Found, Id
from api.services import App, Running
from api.views.events import kind
from delivery.model.event import EVENTS
from delivery.model.release import Release
from delivery.wording.action import ACTIONS

router = APIRouter(include_in_schema=False)
KINDS = " ".join((*(kind(event.__name__) for event in EVENTS), "end"))
"""What the release's stream sends."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was done. `since`: what had happened since the person saw the page."""

    title: str
    cause: str
    next: str
    since: tuple[Line, ...] = ()


@router.get("/releases/{id}")
def release_page(
    app: App, viewer: PageViewer, request: Request, stored: Found, did: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    done = ACTIONS[did].done if did in ACTIONS else ""
    return show(app, request, viewer, stored.release, done=done)


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
