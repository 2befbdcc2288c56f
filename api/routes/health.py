"""For load balancers and Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.openapi import errors
from api.schemas.admin import HealthOut, ReadyOut, WorkerOut
from api.services import Services
from delivery.model.ids import SECOND, Micros
from delivery.wording.units import counted, duration, instant

router = APIRouter(tags=["health"])
SILENT = Micros(30 * SECOND)
"""A worker beats with each scan, several times a second; after this long nobody is waiting for one."""


@router.get("/healthz")
async def healthz() -> HealthOut:
    """Say that the process answers. Restart it where this fails."""
    return HealthOut(status="ok")


@router.get("/readyz", responses=errors("unavailable"))
def readyz(services: Services) -> ReadyOut:
    """Say whether events can be taken: whether the database answers.

    Silent workers do not take the API out of service: what comes in is stored and moves once they are back.
    """
    now = services.clock.now()
    workers = [
        WorkerOut(name=name, heard_at=instant(heard), silent=now - heard > SILENT)
        for name, heard in services.history.workers().items()
    ]
    heard = [worker for worker in workers if not worker.silent]
    if heard:
        return ReadyOut(status="ready", workers=workers, text=f"{counted(len(heard), 'worker')} at work")
    text = f"no worker was heard for {duration(SILENT)}: events are stored, but nothing moves. Start `delivery worker`"
    return ReadyOut(status="degraded", workers=workers, text=text)


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Show metrics for Prometheus."""
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)
