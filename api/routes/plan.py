"""What a release would do, without one being made."""

from fastapi import APIRouter

from api.auth import Viewer
from api.openapi import READ, WRITE, errors
from api.outlook import outlook
from api.problems import Problem
from api.schemas.service import PlanIn, PlanOut
from api.services import Services
from api.views.service import plan
from delivery.catalog.document import Document
from delivery.model.plan import Plan

router = APIRouter(prefix="/v1/plan", tags=["services"])


@router.post("", responses=READ | WRITE | errors("unknown-service"))
def preview(services: Services, _: Viewer, body: PlanIn) -> PlanOut:
    """Preview the plan of a service as it is applied, or of a document that is not: stages, times, what is compared.

    With `outlook` it says what the gates would find at the traffic of the last release, or at `rps` and `errors`.
    """
    if (body.service is None) == (body.document is None):
        raise Problem("invalid", "send either `service` or `document`")
    if body.document is not None:
        service, compiled = services.check(Document(body.document))
        return plan(service.name, compiled, _outlook(services, compiled, service.name, body))
    entry = services.book.fresh(body.service or "")
    if entry is None:
        raise Problem("unknown-service", f"there is no service {body.service}")
    if entry.plan is None:
        raise Problem("invalid", f"the stored service file of {body.service} cannot be used: {entry.broken}")
    return plan(entry.record.name, entry.plan, _outlook(services, entry.plan, entry.record.name, body))


def _outlook(services: Services, compiled: Plan, service: str, body: PlanIn) -> list[str] | None:
    return outlook(services, compiled, service, body.rps, body.errors) if body.outlook else None
