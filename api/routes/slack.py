"""Slack's buttons, dialogs and commands, where it calls us: signed with the app's secret over the raw body."""

import json
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response
from slack_sdk.signature import SignatureVerifier
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from api.openapi import errors
from api.problems import Problem
from api.services import App
from api.slack.desk import Desk
from delivery.sources.errors import Malformed

router = APIRouter(prefix="/v1/slack", tags=["events in"])
_ERRORS = errors("unsigned", "malformed", "unknown-source", "too-large", "busy", "unavailable")
_FORM = {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": {}}}}}


async def _verified(request: Request, app: App) -> Desk:
    """The desk, for a request that Slack signed within the last five minutes. Raises Problem."""
    slack = app.services.slack
    desk: Desk = request.app.state.desk
    if slack is None or not slack.signing_secret:
        raise Problem("unknown-source", "no signing secret of a Slack app is configured ([notify.NAME] signing_secret)")
    verifier = SignatureVerifier(slack.signing_secret)
    body, headers = await request.body(), request.headers
    signed = (headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", ""))
    if not signed[0].isdecimal() or not await run_in_threadpool(verifier.is_valid, body, *signed):
        app.counters.answer("slack", "unsigned")
        raise Problem("unsigned", "this is not signed by the Slack app, or longer than five minutes ago")
    return desk


AtDesk = Annotated[Desk, Depends(_verified)]


@router.post("/interactions", responses=_ERRORS, openapi_extra=_FORM)
async def slack_interaction(request: Request, desk: AtDesk) -> Response:
    """Take a pressed button or a dialog that was sent off."""
    form = _fields(await request.body())
    try:
        payload = json.loads(form.get("payload", ""))
    except ValueError as error:
        raise Malformed("slack_payload", f"the field payload is no JSON: {error}") from None
    return _answer(await desk.interact(payload))


@router.post("/commands", responses=_ERRORS, openapi_extra=_FORM)
async def slack_command(request: Request, desk: AtDesk) -> Response:
    """Take a command that somebody typed."""
    return _answer(await desk.command(_fields(await request.body())))


def _fields(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _answer(answer: dict[str, Any] | None) -> Response:
    return Response(status_code=200) if answer is None else JSONResponse(answer)
