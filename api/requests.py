"""What every request passes: an id, a log context, counts and times, and an end that is always an answer."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import tracing
from api.pages.problem import told
from api.problems import to_problem
from api.telemetry import Counters
from delivery.model.trace import trace_id

_SANE = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
log = structlog.get_logger()


class Requests:
    """Outermost. `X-Request-ID` is taken over where it is sane, and always sent back."""

    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if scope["path"].startswith("/v1/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        began = time.monotonic()
        known = {"trace_id": trace_id(found)} if (found := tracing.current()) else {}
        with structlog.contextvars.bound_contextvars(request_id=request_id, **known):
            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                if status:
                    raise
                await told(Request(scope), to_problem(error))(scope, receive, sending)
            finally:
                took = time.monotonic() - began
                self._counters.request(scope["method"], _route(scope), status, took)
                log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=round(took, 4))


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.match(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return None


def _route(scope: Scope) -> str:
    """The route's template, so that ids do not become labels."""
    return getattr(scope.get("route"), "path", "other")
