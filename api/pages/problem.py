"""Errors as pages: the cause first, then what to do next. Programs get the same as a problem document."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.pages import page
from api.pages.frame import Frame, root
from api.problems import Problem

_CAUSE: Mapping[str, str] = {
    "unknown-release": "there is no release with this id",
    "not-found": "there is no page at this address",
}
"""Where the cause that programs are told speaks of the API."""
_NEXT: Mapping[str, str] = {
    "unknown-release": "It may have been mistyped. The list has all there are.",
    "unknown-service": "It may have been mistyped, or deleted. The list of services has all there are.",
    "not-found": "The address may have been mistyped.",
    "bad-cursor": "Begin again at the newest release.",
    "forbidden": "Ask somebody who may, or sign in as somebody else.",
    "changed-meanwhile": "Open the page again, look, then decide.",
    "unavailable": "Nothing is lost. Open the page again in a few seconds; if it stays, the log has the cause.",
    "busy": "Nothing is lost. Send it again in a few seconds.",
    "internal": "Try it again; if it stays, whoever runs this server finds it in the log by the request's id below.",
    "invalid": "Correct what is named and send it again.",
}


def wants_page(request: Request) -> bool:
    """Whether a person is to read the answer."""
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


def told(request: Request, problem: Problem) -> Response:
    """As a page for browsers, else as a document."""
    request_id = request.state.request_id
    if not wants_page(request):
        return problem.response(request_id)
    running = request.app.state.running
    frame = Frame(root(running), "problem", None, running.clock.now(), request_id)
    return page(
        "problem.html",
        problem.status,
        frame=frame,
        title=problem.title,
        cause=_CAUSE.get(problem.kind, problem.detail),
        next=advice(problem),
        mistakes=problem.more.get("mistakes", ()),
    )


def advice(problem: Problem) -> str:
    return _NEXT.get(problem.kind, "Go back to the page before and try it again.")
