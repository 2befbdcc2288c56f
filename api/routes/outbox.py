"""Messages that could not be delivered, and alerts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from api.access.reach import check_whole
from api.auth import Operator, Viewer
from api.openapi import READ, WRITE, errors
from api.problems import Problem
from api.schemas.admin import AlertOut, AlertsOut, DoneOut, KeysIn, OutboxOut, OutgoingOut
from api.services import AppServices, Services
from delivery.ports.rows import OutboxState, Outgoing
from delivery.wording.units import counted, instant

router = APIRouter(prefix="/v1", tags=["queues"])
MOST = 1000
Limit = Annotated[int, Query(ge=1, le=MOST)]


@router.get("/outbox", responses=READ)
def list_outbox(
    services: Services, _: Operator, state: OutboxState = OutboxState.DEAD, limit: Limit = 100
) -> OutboxOut:
    """List messages to people by state, oldest first; the dead ones wait for a person."""
    return OutboxOut(messages=[_shown(row) for row in services.ledger.outbox(state, limit)])


@router.post("/outbox/replay", responses=WRITE | errors("unknown-row", "changed-already"))
def replay_outbox(services: Services, caller: Operator, body: KeysIn) -> DoneOut:
    """Try dead messages again, now."""
    check_whole(caller)
    now = services.clock.now()
    return _update(
        services,
        body.keys,
        lambda row: replace(row, state=OutboxState.WAITING, attempts=0, due_at=now, error=""),
        "to be sent again",
    )


@router.post("/outbox/discard", responses=WRITE | errors("unknown-row", "changed-already"))
def discard_outbox(services: Services, caller: Operator, body: KeysIn) -> DoneOut:
    """Give dead messages up."""
    check_whole(caller)
    return _update(services, body.keys, lambda row: replace(row, state=OutboxState.DISCARDED), "discarded")


@router.get("/alerts", responses=READ)
def list_alerts(services: Services, _: Viewer, limit: Limit = 100) -> AlertsOut:
    """List what a person of ours must see: quarantines, dead rows. Newest first."""
    return AlertsOut(
        alerts=[
            AlertOut(at=instant(one.at), kind=one.kind, subject=one.subject, detail=one.detail)
            for one in services.history.alerts(limit)
        ]
    )


def _update(services: AppServices, keys: list[str], change: Callable[[Outgoing], Outgoing], text: str) -> DoneOut:
    """All of the rows or none. Raises Problem."""
    dead = {row.key: row for row in services.ledger.outbox(OutboxState.DEAD, MOST)}
    missing = [key for key in keys if key not in dead]
    if missing:
        raise Problem("unknown-row", f"there is no dead message {missing[0]}", missing=missing)
    named = list(dict.fromkeys(keys))
    if not services.ledger.update_outbox([change(dead[key]) for key in named]):
        raise Problem("changed-already", "one of these was sent again or discarded at this moment: list them again")
    return DoneOut(done=named, text=f"{counted(len(named), 'message')} {text}")


def _shown(row: Outgoing) -> OutgoingOut:
    return OutgoingOut(
        key=row.key,
        channel=row.channel,
        release=row.release,
        seq=row.seq,
        topic=row.topic,
        due_at=instant(row.due_at),
        state=row.state.value,
        attempts=row.attempts,
        error=row.error,
    )
