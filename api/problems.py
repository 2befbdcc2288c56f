"""Errors as RFC 9457 problem documents: a type for programs, a cause and a next step for people."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.schemas.common import LABEL
from delivery.model import scalars
from delivery.model.mistake import Invalid, show
from delivery.ports.errors import TooNew, Unavailable
from delivery.sources.errors import Malformed

log = structlog.get_logger()
PREFIX = "urn:delivery:problem:"
MEDIA_TYPE = "application/problem+json"
KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The body cannot be read"),
    "bad-cursor": (400, "The cursor is not one of ours"),
    "unauthenticated": (401, "No valid token"),
    "unsigned": (401, "No valid signature"),
    "stale-signature": (401, "Signed too long ago, or in the future"),
    "forbidden": (403, "The token may not do this"),
    "not-found": (404, "There is nothing here"),
    "unknown-source": (404, "No such webhook source"),
    "unknown-release": (404, "No such release"),
    "unknown-service": (404, "No such service"),
    "unknown-row": (404, "No such row"),
    "method-not-allowed": (405, "The method does not fit"),
    "not-acceptable": (406, "No such representation"),
    "name-taken": (409, "The name is taken"),
    "key-reused": (409, "The same id with another body"),
    "changed-already": (409, "Somebody else was faster"),
    "not-allowed-now": (409, "The action does not fit the release's state"),
    "needs-reason": (422, "It needs a reason"),
    "in-use": (409, "Something still uses it"),
    "too-slow": (408, "The body did not come in time"),
    "changed-meanwhile": (412, "It is no longer what you saw"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body's media type is not understood"),
    "invalid": (422, "What was sent has mistakes"),
    "unknown-name": (422, "It names something that does not exist"),
    "too-many-streams": (429, "Too many open streams"),
    "too-many-requests": (429, "Too many requests"),
    "internal": (500, "A fault of ours"),
    "busy": (503, "More is coming in than can be stored"),
    "unavailable": (503, "Something behind the service does not answer"),
}
"""Kind -> status and title. The type of a problem is PREFIX and its kind."""
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 406: "not-acceptable", 413: "too-large", 400: "malformed"}


class Problem(Exception):
    """Ends a request with a problem document. `more` are members of its own, such as `allowed` or `mistakes`."""

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status, self.title = KINDS[kind]
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more

    def document(self, request_id: str) -> dict[str, Any]:
        return {
            "type": PREFIX + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            **self.more,
        }

    def response(self, request_id: str) -> JSONResponse:
        return JSONResponse(self.document(request_id), self.status, self.headers, MEDIA_TYPE)


Answer = Callable[[Request, Problem], Response]
"""How a problem is told to whoever sent the request."""


def mistakes(error: Invalid) -> list[dict[str, Any]]:
    """The mistakes of a document, each with its place."""
    return [
        {"place": one.place, "line": one.line, "problem": one.problem, "expected": one.expected or None}
        for one in error.mistakes
    ]


def malformed(error: Malformed) -> Problem:
    """`reason` is the reader's own code, `pointer` says where."""
    kind = "unsupported-media-type" if error.kind == "media_type" else "malformed"
    return Problem(kind, str(error), reason=error.kind, pointer=error.pointer)


def unavailable(error: Unavailable) -> Problem:
    """Anybody may be told this: where it is that does not answer, and as whom it was asked, is for the log."""
    log.warning("unavailable", cause=str(error))
    wait = max(1, round(error.retry_after or 1))
    return Problem("unavailable", f"{error.plain}. Nothing is lost: send it again", {"Retry-After": str(wait)})


def too_new(error: TooNew) -> Problem:
    return Problem(
        "unavailable", f"{error}. Ask again: while an upgrade goes on, another replica can", {"Retry-After": "1"}
    )


def install(app: FastAPI, answer: Answer) -> None:
    """Turns every error of the app into an answer."""

    async def problem(request: Request, error: Exception) -> Response:
        return answer(request, to_problem(error))

    for kind in (Problem, Invalid, Malformed, Unavailable, TooNew, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, problem)


def to_problem(error: Exception) -> Problem:
    """The problem that an exception means; `internal` for one that nobody expected."""
    match error:
        case Problem():
            return error
        case Invalid():
            return Problem("invalid", str(error), mistakes=mistakes(error))
        case Unavailable():
            return unavailable(error)
        case TooNew():
            return too_new(error)
        case Malformed():
            return malformed(error)
        case RequestValidationError():
            return _not_valid(error)
        case HTTPException():
            kind = _BY_STATUS.get(error.status_code, "malformed")
            return Problem(kind, _http_detail(error), error.headers)
        case _:
            log.error("request_failed", exc_info=error)
            return Problem("internal", "the request failed by a fault of ours; the log has it under this request id")


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404:
        return "there is no such path; /openapi.json lists them"
    if error.status_code == 400:
        return "the body is not the JSON that is expected here"
    return str(error.detail)


def _not_valid(error: RequestValidationError) -> Problem:
    found = []
    for one in error.errors():
        if one["type"] == "json_invalid":
            return Problem("malformed", f"the body is not JSON: {one['ctx']['error']}")
        where, *path = one["loc"]
        place = ".".join(str(part) for part in path)
        found.append({"place": place, "in": where, "problem": _wrong(one), "line": None, "expected": None})
    place, problem = found[0]["place"], str(found[0]["problem"])
    about = re.sub(r"\.\d+$", "", str(place)) or f"the {found[0]['in']}"
    return Problem("invalid", f"{about}{' ' if problem.startswith('is ') else ': '}{problem}", mistakes=found)


def _wrong(error: Mapping[str, Any]) -> str:
    """In words that fit ours; an expression that nothing matches tells people little."""
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == LABEL:
        return f"is {show(error['input'])}; expected {scalars.name().expected}"
    if error["type"] in ("literal_error", "enum"):
        choices = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        return f"is {show(error['input'])}; expected one of {choices}"
    return str(error["msg"]).removeprefix("Value error, ")
