"""The list of releases."""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from api import paging
from api.access.page import PageViewer
from api.pages import asked
from api.pages.frame import framed, root
from api.pages.views.row import row
from api.schemas.query import State
from api.services import App

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(app: App) -> Response:
    return RedirectResponse(f"{root(app)}/releases", 303)


@router.get("/releases")
def list_page(app: App, viewer: PageViewer, request: Request) -> Response:
    """Newest first, with the API's filters and pages."""
    services, query = app.services, asked.read(request.query_params)
    page = services.history.page(query.filter(), query.per_page + 1, paging.position(query.cursor))
    found = [stored.release for stored in page[: query.per_page]]
    following = paging.cursor(found[-1].id) if len(page) > len(found) else None
    targets = [record.target for record in services.history.rows()]
    paused = {target.id: target.in_hand for target in targets}
    here, kept = f"{root(app)}/releases", asked.without(request.query_params, "cursor")
    return framed(
        app,
        request,
        viewer,
        "releases.html",
        rows=[row(release, paused.get(release.target)) for release in found],
        asked=asked.shown(request.query_params),
        services=sorted({target.service for target in targets}),
        clusters=services.clusters,
        states=[state.value for state in State],
        following=_address(here, {**kept, "cursor": following}) if following else "",
        first=_address(here, kept) if query.cursor else "",
    )


def _address(here: str, query: Mapping[str, str]) -> str:
    return f"{here}?{urlencode(query)}" if query else here
