"""Services: what is stable where, and the routes of one in a person's hand."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal
from uuid import uuid4

import yaml
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.access.page import PageOperator, PageViewer
from api.pages import asked
from api.pages.frame import framed, root
from api.pages.routes.actions import once
from api.pages.views.row import row
from api.routes.calls import Calling
from api.routes.hands import HandsIn, say
from api.routes.services import every, shown, stored
from api.schemas.common import Name
from api.services import App, AppServices
from delivery.model.ids import ReleaseId
from delivery.model.role import Role
from delivery.ports.history import Filter
from delivery.wording.release import versions

router = APIRouter(include_in_schema=False)
Named = Annotated[Name, Path(alias="name")]
_LATEST = 5
_DONE = {
    "pause": "The routes are yours: nothing of ours is written to them until they are given back.",
    "resume": "The routes are given back.",
}


@router.get("/services")
def services_page(app: App, viewer: PageViewer, request: Request) -> Response:
    return framed(app, request, viewer, "services.html", services=every(app.services))


@router.get("/services/{name}")
def service_page(
    app: App, viewer: PageViewer, request: Request, name: Named, did: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    one = shown(app.services, stored(app.services, name))
    newest = [found.release for found in app.services.history.page(Filter(service=name), _LATEST)]
    paused = {target.cluster: target.paused for target in one.targets}
    return framed(
        app,
        request,
        viewer,
        "service.html",
        one=one,
        called=_called(app.services, [on for target in one.targets for on in (target.active, *target.queue) if on]),
        rows=[row(release, paused.get(release.target.rpartition("@")[2])) for release in newest],
        file=yaml.safe_dump(one.document, sort_keys=False, allow_unicode=True),
        free=[target.cluster for target in one.targets if not target.paused],
        taken=[target.cluster for target in one.targets if target.paused],
        may=viewer.caller.role.covers(Role.OPERATOR),
        key=uuid4().hex,
        done=_DONE.get(did, ""),
    )


def _called(services: AppServices, releases: Iterable[str]) -> Mapping[str, str]:
    """What people call them: `1.4.1 → 1.4.2 #3`."""
    found = [stored for one in releases if (stored := services.history.release(ReleaseId(one)))]
    return {one.release.id: f"{versions(one.release)} #{one.release.number}" for one in found}


@router.post("/services/{name}/{action}")
async def hands(
    app: App, page: PageOperator, call: Calling, name: Named, action: Literal["pause", "resume"]
) -> Response:
    """Break-glass, as below /v1."""
    wanted = asked.made(HandsIn, reason=page.form.get("reason", "").strip(), cluster=page.form.get("cluster") or None)
    await say(once(call), name, wanted, off=action == "pause")
    return RedirectResponse(f"{root(app)}/services/{name}?did={action}", 303)
