"""The stop: nothing rises in a scope until it is lifted. Reverts go on."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import reach
from api.access.caller import Caller
from api.auth import Operator, Viewer
from api.openapi import READ, WRITE, errors
from api.problems import Problem
from api.schemas.admin import SCOPE, StopIn, StopOut, StopsOut
from api.services import AppServices, Services
from delivery.ports.rows import StopOrder
from delivery.wording.units import instant

router = APIRouter(prefix="/v1/stop", tags=["stop"])


@router.get("", responses=READ)
def get_stops(services: Services, _: Viewer) -> StopsOut:
    """List what is stopped, by whom and why."""
    return _shown(services)


@router.put("", responses=WRITE | errors("unknown-name"))
def put_stop(services: Services, caller: Operator, body: StopIn) -> StopsOut:
    """Stop raises: in everything (`*`), in a cluster, or for the services of an owner."""
    kind, _, name = body.scope.partition(":")
    if kind == "cluster" and name not in services.clusters:
        raise Problem("unknown-name", f"there is no cluster {name}; there is {', '.join(services.clusters)}")
    _check_reach(caller, body.scope)
    services.ledger.put_stop(StopOrder(body.scope, caller.principal, body.reason, services.clock.now()))
    services.hints.due(services.clusters)
    return _shown(services)


@router.delete("", responses=READ | errors("not-found"))
def lift_stop(services: Services, caller: Operator, scope: Annotated[str, Query(pattern=SCOPE)] = "*") -> StopsOut:
    """Lift the stop of a scope. Other stops that cover the same targets stay."""
    _check_reach(caller, scope)
    if scope not in {order.scope for order in services.ledger.stops()}:
        raise Problem("not-found", f"nothing is stopped in the scope {scope}")
    services.ledger.lift_stop(scope)
    services.hints.due(services.clusters)
    return _shown(services)


def _check_reach(caller: Caller, scope: str) -> None:
    """A stop of all that the caller's token reaches, or of less."""
    kind, _, name = scope.partition(":")
    owners, clusters = ((name,), None) if kind == "owner" else ((), (name,) if kind == "cluster" else None)
    reach.refuse(caller, caller.refusal("stop", None, owners, clusters))


def _shown(services: AppServices) -> StopsOut:
    return StopsOut(
        stops=[
            StopOut(scope=order.scope, by=order.by, reason=order.reason, since=instant(order.since))
            for order in services.ledger.stops()
        ]
    )
