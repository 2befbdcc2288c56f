"""The emergency stop."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.access.page import PageOperator, PageViewer
from api.pages import asked
from api.pages.frame import framed, root
from api.routes import stop
from api.schemas.admin import StopIn
from api.services import App, AppServices
from delivery.model.role import Role

router = APIRouter(include_in_schema=False)
_DONE = {"set": "Raises are stopped. Reverts go on.", "lifted": "The stop is lifted: raises go on."}


@router.get("/stop")
def stop_page(
    app: App, viewer: PageViewer, request: Request, did: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    return framed(
        app,
        request,
        viewer,
        "stop.html",
        clusters=app.services.clusters,
        owners=_owners(app.services),
        may=viewer.caller.role.covers(Role.OPERATOR),
        done=_DONE.get(did, ""),
    )


@router.post("/stop")
def set_stop(app: App, page: PageOperator) -> Response:
    wanted = asked.made(StopIn, scope=page.form.get("scope", ""), reason=page.form.get("reason", "").strip())
    stop.put_stop(app.services, page.caller, wanted)
    return RedirectResponse(f"{root(app)}/stop?did=set", 303)


@router.post("/stop/lift")
def lift_stop(app: App, page: PageOperator) -> Response:
    """A stop that somebody else lifted meanwhile is the problem `not-found`."""
    stop.lift_stop(app.services, page.caller, page.form.get("scope", ""))
    return RedirectResponse(f"{root(app)}/stop?did=lifted", 303)


def _owners(services: AppServices) -> list[str]:
    """Those that service files name."""
    found: set[str] = set()
    for record in services.ledger.services():
        owners = record.document.get("owners", ())
        found.update(str(owner) for owner in (owners if isinstance(owners, list) else [owners]))
    return sorted(found)
