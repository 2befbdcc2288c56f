"""Deliveries that could not be admitted and wait for a person."""

from dataclasses import replace
from itertools import count
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from api.access.reach import check_whole
from api.auth import Operator
from api.openapi import READ, WRITE, errors
from api.problems import Problem
from api.schemas.admin import DeliveriesIn, DeliveryHeadOut, DeliveryOut, DoneOut, InboxOut, ReplayedOut, ReplayOut
from api.schemas.common import Line
from api.services import App, AppServices, Running, Services
from delivery.engine.addressed import TO_BE_READ
from delivery.engine.addressees import meant
from delivery.engine.answer import Answer, Arrival
from delivery.model.notice import Alert, Happened, Notice, ReleaseRequested, Says
from delivery.ports.rows import Delivery, DeliveryHead, InboxState
from delivery.wording.units import counted, instant

router = APIRouter(prefix="/v1/inbox", tags=["queues"])
SHOWN = 64 * 1024
SETTLED = ("release", "signal", "no_op")
"""What a delivery came to, for good."""


@router.get("", responses=READ)
def list_inbox(
    services: Services,
    _: Operator,
    state: InboxState = InboxState.DEAD,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> InboxOut:
    """List deliveries by state, oldest first; the dead ones wait for a person."""
    return InboxOut(deliveries=[_head(row) for row in services.ledger.inbox_heads(state, limit)])


@router.get("/delivery", responses=READ | errors("unknown-row"))
def show_delivery(
    services: Services,
    _: Operator,
    source: Annotated[Line, Query()],
    key: Annotated[str, Query(min_length=1, max_length=1000)],
) -> DeliveryOut:
    """Show one delivery with what came, as it came."""
    row = services.ledger.deliveries([(source, key)]).get((source, key))
    if row is None:
        raise Problem("unknown-row", f"there is no delivery {key} of {source}")
    return DeliveryOut(**_head(row).model_dump(), body=row.body[:SHOWN].decode("utf-8", "replace"))


@router.post("/replay", responses=WRITE | errors("unknown-row", "changed-already"))
async def replay_inbox(app: App, caller: Operator, body: DeliveriesIn) -> ReplayedOut:
    """Admit dead deliveries again, as if they had just come. The sender is told the new answer from now on."""
    check_whole(caller)
    rows = await run_in_threadpool(_dead, app.services, body)
    replayed = [await _replay(app, row) for row in rows]
    return ReplayedOut(replayed=replayed, text="; ".join(f"{one.key}: {one.text}" for one in replayed))


@router.post("/discard", responses=WRITE | errors("unknown-row", "changed-already"))
def discard_inbox(services: Services, caller: Operator, body: DeliveriesIn) -> DoneOut:
    """Give dead deliveries up."""
    check_whole(caller)
    rows = _dead(services, body)
    for row in rows:
        _decide(services, replace(row, state=InboxState.DISCARDED))
    return DoneOut(done=[row.key for row in rows], text=f"{counted(len(rows), 'row')} discarded")


def _dead(services: AppServices, body: DeliveriesIn) -> list[Delivery]:
    """All of the rows that are named, or the problem that one is not there or not dead."""
    keys = list(dict.fromkeys((one.source, one.key) for one in body.deliveries))
    found = services.ledger.deliveries(keys)
    missing = [key for key in keys if key not in found or found[key].state is not InboxState.DEAD]
    if missing:
        raise Problem("unknown-row", f"there is no dead delivery {missing[0][1]} of {missing[0][0]}")
    return [found[key] for key in keys]


def _decide(services: AppServices, after: Delivery) -> None:
    """What becomes of a dead row. Raises the problem that somebody else decided otherwise; the same twice is once."""
    if services.ledger.update_delivery(after, InboxState.DEAD):
        return
    key = (after.source, after.key)
    now = services.ledger.deliveries([key]).get(key)
    if now is not None and (now.state, now.outcome) == (after.state, after.outcome):
        return
    meanwhile = f"{after.key} of {after.source} is {now.state.value if now else 'gone'}: somebody else decided it"
    came = f"; what it came to now: {after.outcome}" if after.state is InboxState.DONE else ""
    raise Problem("changed-already", f"{meanwhile} at this moment{came}")


async def _replay(app: Running, row: Delivery) -> ReplayOut:
    if row.reason == TO_BE_READ.reason:
        return await _read_again(app, row)
    source = app.services.sources.get(row.source)
    if source is None:
        raise Problem("unknown-source", f"{row.source} is not configured any more; discard the delivery")
    said = await run_in_threadpool(_said, app.services, row, source.reread(row.body))
    answer = said if isinstance(said, Answer) else await app.intake.submit(Arrival(said, row.body))
    if answer.outcome in SETTLED:
        done = replace(
            row, state=InboxState.DONE, outcome=answer.outcome, reason=answer.reason, answer=answer.plain(), error=""
        )
        await run_in_threadpool(_decide, app.services, done)
    return ReplayOut(
        source=row.source,
        key=row.key,
        outcome=answer.outcome,
        reason=answer.reason,
        text=answer.text,
        release=answer.release,
    )


async def _read_again(app: Running, row: Delivery) -> ReplayOut:
    """It only hints: a worker reads again what is there."""
    await run_in_threadpool(_decide, app.services, replace(row, state=InboxState.PENDING, error=""))
    told = TO_BE_READ
    return ReplayOut(
        source=row.source, key=row.key, outcome=told.outcome, reason=told.reason, text=told.text, release=None
    )


def _said(services: AppServices, row: Delivery, read: Notice) -> Notice | Answer:
    """The row's notice as it is admitted now; or the answer, where nobody waits for it any more."""
    notice = services.people.named(replace(read, source=row.source))
    says = _narrowed(services, notice, row.key) if "#" in row.key else notice.says
    return says if isinstance(says, Answer) else replace(notice, says=says, key=_own_key(services, row))


def _own_key(services: AppServices, row: Delivery) -> str:
    """Made from the row's own, so that a replay that was cut short is not done twice. One that came to nothing does not
    stand in the way of the next.
    """
    keys = (f"{row.key}~replayed{number if number > 1 else ''}" for number in count(1))
    return next(key for key in keys if _can_have(services, (row.source, key)))


def _can_have(services: AppServices, key: tuple[str, str]) -> bool:
    earlier = services.ledger.deliveries([key]).get(key)
    return earlier is None or earlier.outcome in SETTLED


def _narrowed(services: AppServices, notice: Notice, key: str) -> Says | Answer:
    """A row of one target (`KEY#SERVICE@CLUSTER`) is for that target alone."""
    service, _, cluster = key.rpartition("#")[2].rpartition("@")
    says: Says | Answer = notice.says
    if isinstance(says, Happened):
        says = meant(notice.source, says, {service: services.book.fresh(service)})[0]
    if isinstance(says, ReleaseRequested):
        return replace(says, cluster=cluster)
    if isinstance(says, Alert):
        return replace(says, labels={**says.labels, "service": service, "cluster": cluster})
    return says


def _head(row: Delivery | DeliveryHead) -> DeliveryHeadOut:
    return DeliveryHeadOut(
        source=row.source,
        key=row.key,
        received_at=instant(row.received_at),
        state=row.state.value,
        outcome=row.outcome,
        reason=row.reason,
        error=row.error,
    )
