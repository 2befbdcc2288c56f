"""What a release would do, without one being made."""

from fastapi import APIRouter

from api.auth import Viewer
from api.openapi import READ, WRITE, errors
from api.problems import Problem
from api.schemas.service import PlanIn, PlanOut
from api.services import Services
from api.views.service import plan
from delivery.catalog.document import Document

router = APIRouter(prefix="/v1/plan", tags=["services"])


@router.post("", responses=READ | WRITE | errors("unknown-service"))
def preview(services: Services, _: Viewer, body: PlanIn) -> PlanOut:
    """Preview the plan of a service as it is applied, or of a document that is not: stages, times, what is compared."""
    if (body.service is None) == (body.document is None):
        raise Problem("invalid", "send either `service` or `document`")
    if body.document is not None:
        service, compiled = services.check(Document(body.document))
        return plan(service.name, compiled)
    entry = services.book.fresh(body.service or "")
    if entry is None:
        raise Problem("unknown-service", f"there is no service {body.service}")
    if entry.plan is None:
        raise Problem("invalid", f"the stored service file of {body.service} cannot be used: {entry.broken}")
    return plan(entry.record.name, entry.plan)
