"""Events in: verify over the raw bytes, read the dialect, admit, answer after the commit."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.access.caller import Caller
from api.access.reach import check_notice
from api.answers import settled, shown
from api.auth import bearer
from api.oidc.verify import Untrusted
from api.openapi import errors
from api.problems import Problem
from api.schemas.common import AnswerOut, Name
from api.services import App, AppServices, Running
from delivery.engine.answer import Answer, Arrival, merged
from delivery.model.ids import Micros
from delivery.model.notice import Alert, Happened, Notice, ReleaseRequested
from delivery.registry import Batch, Source, Vouched
from delivery.sources.errors import Malformed, Stale, Unsigned

TOKEN_TOO = "; a job of CI may send its run's own token instead, as `Authorization: Bearer TOKEN`"
router = APIRouter(prefix="/v1/webhooks", tags=["events in"])
_EVENT = {
    "specversion": "1.0",
    "id": "gh-912-1",
    "source": "https://github.com/acme/checkout",
    "type": "delivery.release.requested.v1",
    "time": "2026-11-24T10:02:11Z",
    "data": {
        "service": "checkout",
        "cluster": "prod-eu",
        "version": "1.4.2",
        "image": "ghcr.io/acme/checkout@sha256:9f2c",
        "commit": "4be1d0c",
        "actor": "alice",
        "run_url": "https://ci.example.org/912",
        "urgent": False,
    },
}
_SIGNATURE = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
    for name, text in (
        ("webhook-id", "The delivery's id."),
        ("webhook-timestamp", "Seconds since 1970; at most five minutes off."),
        ("webhook-signature", "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."),
    )
]


@router.post(
    "/{source}",
    status_code=202,
    responses=errors(
        "malformed",
        "unsigned",
        "forbidden",
        "stale-signature",
        "unknown-source",
        "key-reused",
        "too-large",
        "unsupported-media-type",
        "unknown-name",
        "too-many-requests",
        "busy",
        "unavailable",
    ),
    openapi_extra={
        "parameters": _SIGNATURE,
        "requestBody": {
            "required": True,
            "content": {"application/cloudevents+json": {"schema": {"type": "object"}, "example": _EVENT}},
        },
    },
)
async def receive(source: Name, request: Request, app: App) -> AnswerOut:
    """Take an event of a configured source.

    Signed as Standard Webhooks over the body as sent, where the source's dialect has no way of its own; or, where the
    source names their CI, by the token of a job's run (`Authorization: Bearer`). Answered after
    the commit, so that 202 means "never lost". The same delivery again gets the same answer and changes nothing; the
    same id with another body is refused.
    """
    found = app.services.sources.get(source)
    if found is None:
        needed = f"[sources.{source}] with a dialect and a secret in the server's configuration"
        raise Problem("unknown-source", f"no webhook source {source} is configured: it needs {needed}")
    job = await _job(app, source, request)
    body = await request.body()
    try:
        arrivals = _arrivals(found, job, request.headers, body, app.clock.now())
    except Unsigned as error:
        app.counters.answer(source, error.kind)
        hint = TOKEN_TOO if app.senders.to(source) else ""
        raise Problem("stale-signature" if isinstance(error, Stale) else "unsigned", f"{error}{hint}") from None
    except Malformed as error:
        app.counters.answer(source, "malformed")
        await asyncio.gather(*(app.intake.submit(Arrival(notice, own)) for notice, own in error.beside))
        raise
    if not any(isinstance(one.notice.says, Alert) for one in arrivals):  # an alert takes releases back: it never waits
        app.rates.sources.take(source)
    if job is None:
        named = [replace(one, notice=app.services.people.named(one.notice)) for one in arrivals]
    else:
        named = await run_in_threadpool(_of_job, app.services, job, arrivals)
    answer = _together(found, await asyncio.gather(*map(app.intake.submit, named)))
    app.counters.answer(source, answer.outcome)
    return shown(app.services.public_url, settled(answer, "unknown-name"))


async def _job(app: Running, source: str, request: Request) -> Caller | None:
    """The job of CI that sends this by the token of its run; None where the sender has to prove itself otherwise."""
    if not app.senders.to(source):
        return None
    try:
        shown = bearer(request.headers.get("authorization", ""))
        job = await run_in_threadpool(app.senders.caller, source, shown)
    except Untrusted as error:
        app.counters.answer(source, "unsigned")
        raise Problem("unsigned", f"the job's token does not count: {error}") from None
    if job is not None:
        structlog.contextvars.bind_contextvars(token=job.name, principal=job.principal)
        app.rates.caller(job.name, request.method, request.url.path)
    return job


def _of_job(services: AppServices, job: Caller, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """What a job sends is in the name of who set it off, whomever its body names, and no more than its rules give it.

    Raises Problem.
    """
    named = [replace(one, notice=_named(one.notice, job)) for one in arrivals]
    for one in named:
        check_notice(services, job, one.notice)
    return named


def _named(notice: Notice, job: Caller) -> Notice:
    says = notice.says
    if not isinstance(says, ReleaseRequested | Happened):
        return notice
    origin = {**says.origin, "via": job.came.value, "token": job.name}
    return replace(notice, says=replace(says, actor=job.principal, origin=origin))


def _arrivals(
    source: Source | Batch, job: Caller | None, headers: Mapping[str, str], body: bytes, now: Micros
) -> list[Arrival]:
    if job is not None and isinstance(source, Vouched):
        return [Arrival(notice, own) for notice, own in source.vouched(headers, body, now)]
    if isinstance(source, Batch):
        return [Arrival(notice, own) for notice, own in source.receive_each(headers, body, now)]
    return [Arrival(source.receive(headers, body, now), body)]


def _together(source: Source | Batch, answers: list[Answer]) -> Answer:
    """One answer for a request. What came along with others and is about nobody is no mistake of the sender."""
    if not isinstance(source, Batch):
        return answers[0]
    nothing = Answer("no_op", reason="nothing_in_it", text="nothing in it is about a release here")
    told = [replace(one, outcome="no_op") if one.outcome == "unknown" else one for one in answers]
    return merged(told or [nothing])
