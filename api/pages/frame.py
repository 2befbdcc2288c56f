"""What every page has around it: who looks at it, where links begin, what is stopped."""

from dataclasses import dataclass

from fastapi import Request
from starlette.responses import HTMLResponse

from api.access import forms
from api.access.page import PageCaller
from api.pages import page
from api.pages.static_files import DIGEST
from api.services import Running
from delivery.model.ids import Micros
from delivery.ports.rows import StopOrder


@dataclass(frozen=True, slots=True)
class Frame:
    """`root` is what links begin with; `place` the part of the site that this is."""

    root: str
    place: str
    viewer: PageCaller | None
    now: Micros
    request_id: str
    stops: tuple[StopOrder, ...] = ()
    assets: str = DIGEST


def root(app: Running) -> str:
    return forms.base_path(app.services.public_url).rstrip("/")


def framed(
    app: Running, request: Request, viewer: PageCaller, template: str, status: int = 200, **values: object
) -> HTMLResponse:
    """The template in its frame. Raises Unavailable."""
    services = app.services
    frame = Frame(
        root=root(app),
        place=template.removesuffix(".html"),
        viewer=viewer,
        now=services.clock.now(),
        request_id=request.state.request_id,
        stops=services.ledger.stops(),
    )
    return page(template, status, frame=frame, **values)
