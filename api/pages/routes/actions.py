"""Buttons of a release: the same words to the same rules as the API's, by the same way."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from api.access.page import PageCaller, PageViewer
from api.auth import check_role
from api.etag import etag
from api.pages import asked
from api.pages.frame import root
from api.pages.problem import advice, wants_page
from api.pages.routes.release import Refused, show
from api.pages.views.offers import SIGNALS
from api.pages.views.release import Line, lines
from api.people import NEEDS
from api.problems import Problem
from api.routes.actions import Acting
from api.routes.calls import Call, Calling
from api.routes.lookup import Id, find
from api.schemas.release_in import ActionIn, ActionOut, ResumeIn
from api.services import App, AppServices, Running
from api.views.common import numbered
from delivery.model.hold import HoldKind
from delivery.model.release import Release
from delivery.model.role import Role
from delivery.wording.action import ACTIONS

router = APIRouter(include_in_schema=False)
LOWERS = ("abort", "pause")
"""What only lowers exposure is taken from a page of any age: whoever presses it at night must not be sent back."""
_TOLD = ("changed-meanwhile", "not-allowed-now", "forbidden", "needs-reason", "invalid", "key-reused")
"""Told on the release's own page, with what is possible now."""
_MOST_SINCE = 5
_NEXT: Mapping[str, str] = {
    "changed-meanwhile": "Nothing was done. This is how it stands now: look, then decide again.",
    "not-allowed-now": "Nothing was done. What is possible now is below.",
    "forbidden": "Nothing was done. Who can do it is below.",
    "needs-reason": "Nothing was done. Say why, and send it again.",
}


@router.post("/releases/{id}/{action}")
async def act(app: App, page: PageViewer, call: Calling, request: Request, given: Id, action: str) -> Response:
    if action not in ACTIONS:
        raise Problem("not-found", f"a release knows no action {action}")
    seen = None if action in LOWERS else etag_of(page.form)
    acting = Acting(once(call), given, Response(), seen)
    try:
        check_role(page.caller, NEEDS.get(action, Role.OPERATOR))
        out = await _do(acting, action, page.form)
    except Problem as problem:
        if problem.kind not in _TOLD or not wants_page(request):
            raise
        return await run_in_threadpool(_refused, app, request, page, given, problem)
    if out.effect in ("none", "waiting"):
        return await run_in_threadpool(_said, app, request, page, out)
    return RedirectResponse(f"{root(app)}/releases/{out.release.id}?did={action}", 303)


async def _do(acting: Acting, action: str, form: Mapping[str, str]) -> ActionOut:
    reason = form.get("reason", "").strip()
    if action == "resume":
        return await acting.resume(asked.made(ResumeIn, reason=reason, holds=_holds(form)))
    body = asked.made(ActionIn, reason=reason)
    if action in SIGNALS:
        return await acting.signal(SIGNALS[action], body)
    return await acting.again(body, back=action == "rollback")


def _holds(form: Mapping[str, str]) -> list[str]:
    return [kind.value for kind in HoldKind if f"hold-{kind.value}" in form]


def etag_of(form: Mapping[str, str]) -> str:
    """What the person saw; a form that does not say it saw nothing."""
    seq = form.get("seq", "")
    return etag(int(seq) if seq.isdecimal() and len(seq) < 10 else 0)


def once(call: Call) -> Call:
    """The form with its random field is the key: sent twice it is done once; changed, and sent again, it is another."""
    return replace(call, key=sha256(call.body).hexdigest())


def _refused(app: Running, request: Request, page: PageCaller, given: str, problem: Problem) -> Response:
    release = find(app.services, given).release
    since = _since(app.services, release, page.form) if problem.kind in ("changed-meanwhile", "not-allowed-now") else ()
    cause = "the release has moved on since you saw it" if problem.kind == "changed-meanwhile" else problem.detail
    refused = Refused(problem.title, cause, _NEXT.get(problem.kind, advice(problem)), since)
    return show(app, request, page, release, status=problem.status, problem=refused)


def _since(services: AppServices, release: Release, form: Mapping[str, str]) -> tuple[Line, ...]:
    seq = form.get("seq", "")
    if not seq.isdecimal() or len(seq) >= 10:
        return ()
    return lines(release, numbered(list(services.history.events(release.id, int(seq)))))[-_MOST_SINCE:]


def _said(app: Running, request: Request, page: PageCaller, out: ActionOut) -> Response:
    """What there is to say is more than that it was done."""
    return show(app, request, page, find(app.services, out.release.id).release, done=out.text)
