"""Releases: list, look, explain."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import paging
from api.auth import Viewer
from api.etag import etag
from api.openapi import READ, errors
from api.routes.lookup import Found, explained, possible
from api.schemas.query import ReleaseQuery
from api.schemas.release import AnalysisOut, EventsOut, ExplainOut, ReleaseDetail, ReleasePage
from api.services import Services
from api.views.beside import beside, sentence
from api.views.common import numbered, stored_events, time
from api.views.events import event
from api.views.gates import counts, newest, tick, verdicts
from api.views.release import detail, summary
from delivery.model.verdict import Counts

router = APIRouter(prefix="/v1/releases", tags=["releases"])
_ONE = READ | errors("unknown-release")
After = Annotated[int, Query(ge=0, lt=2**31, description="Those with a number above this.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("", responses=READ | errors("bad-cursor"))
def list_releases(
    services: Services, _: Viewer, request: Request, response: Response, query: Annotated[ReleaseQuery, Query()]
) -> ReleasePage:
    """List releases, newest first. The next page is in the Link header; new releases shift no page."""
    base = services.public_url
    if query.number is not None:
        found = services.history.by_number(query.service, query.number)
        return ReleasePage(releases=[summary(base, stored.release) for stored in found])
    before = paging.position(query.cursor)
    page = services.history.page(query.filter(), query.per_page + 1, before)
    shown = page[: query.per_page]
    following = paging.cursor(shown[-1].release.id) if len(page) > len(shown) else None
    response.headers.update(paging.link(f"{base}{router.prefix}", request.query_params, following))
    return ReleasePage(releases=[summary(base, stored.release) for stored in shown], next=following)


@router.get("/{id}", responses=_ONE)
def get_release(services: Services, _: Viewer, stored: Found, response: Response) -> ReleaseDetail:
    """Show a release: its stages with what was found in each, holds, exposure, and the actions that fit now."""
    release, history = stored.release, services.history
    response.headers["ETag"] = etag(release.seq)
    measuring = history.measuring(release.id)
    shown = detail(
        services.public_url,
        release,
        numbered(stored_events(history, release.id)),
        history.shares(release.id),
        measuring,
        possible(services, release),
        newest(services.judge, measuring, release),
    )
    return shown.model_copy(update={"deployer": beside(services.ledger, release.id)})


@router.get("/{id}/events", responses=_ONE)
def get_events(services: Services, _: Viewer, stored: Found, after: After = 0, limit: Limit = 200) -> EventsOut:
    """Show a release's history: the stored facts that its state is the fold of, hash-chained, each with a sentence."""
    events = services.history.events(stored.release.id, after, limit + 1)
    shown = events[:limit]
    return EventsOut(
        events=[event(one, stored.release.plan) for one in shown],
        next=shown[-1].seq if len(events) > len(shown) else None,
    )


@router.get("/{id}/analysis", responses=_ONE)
def get_analysis(services: Services, _: Viewer, stored: Found, after: After = 0, limit: Limit = 500) -> AnalysisOut:
    """Show what was measured: each tick of both versions, and every change of a gate's verdict."""
    release, history = stored.release, services.history
    measuring = history.measuring(release.id)
    ticks = history.ticks(release.id, after, limit + 1)
    shown = ticks[:limit]
    nothing = Counts(0, 0)
    candidate, stable = measuring.totals if measuring else (nothing, nothing)
    return AnalysisOut(
        candidate=counts(candidate),
        stable=counts(stable),
        verdicts=verdicts(numbered(stored_events(history, release.id)), release.plan.stages),
        ticks=[tick(one) for one in shown],
        next=shown[-1].number if len(ticks) > len(shown) else None,
    )


@router.get("/{id}/explain", responses=_ONE)
def get_explanation(services: Services, _: Viewer, stored: Found) -> ExplainOut:
    """Say in sentences why it is where it is, what it waits for, until when, and who can change it."""
    release = stored.release
    judged = newest(services.judge, services.history.measuring(release.id), release)
    known = replace(release, verdicts={**release.verdicts, **{one.gate: one for one in judged}})
    told = explained(services, known, sentence(services.ledger, release.id))
    return ExplainOut(
        why=list(told.why), waits_for=list(told.waits_for), until=time(told.until), who=list(told.who), text=told.text()
    )
