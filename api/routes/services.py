"""Service files: read, applied, checked, deleted."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from starlette.concurrency import run_in_threadpool

from api import bodies, etag
from api.apply import apply, delete
from api.auth import Admin, Operator, Viewer
from api.openapi import READ, WRITE, errors
from api.problems import Problem, mistakes
from api.schemas.common import MistakeOut, Name
from api.schemas.service import CheckOut, ServiceOut, ServicesOut
from api.services import AppServices, Services
from api.views.beside import beside
from api.views.service import plan, service
from delivery.engine.beside import application_of
from delivery.engine.book import Entry
from delivery.model.codec import digest
from delivery.model.mistake import Invalid
from delivery.ports.rows import Row, ServiceRecord

router = APIRouter(prefix="/v1/services", tags=["services"])
Named = Annotated[Name, Path(alias="name", examples=["checkout"])]
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200, description="The revision that was seen.")]
_WRITE = WRITE | errors("changed-meanwhile", "in-use", "unsupported-media-type")


@router.get("", responses=READ)
def list_services(services: Services, _: Viewer) -> ServicesOut:
    """List services with their targets: what is stable, what runs, what waits."""
    return ServicesOut(services=every(services))


@router.get("/{name}", responses=READ | errors("unknown-service"))
def get_service(services: Services, _: Viewer, name: Named, response: Response) -> ServiceOut:
    """Show a service file as it is applied. Its ETag is the revision."""
    record = stored(services, name)
    response.headers["ETag"] = etag.etag(record.revision)
    return shown(services, record)


@router.put(
    "/{name}",
    responses=_WRITE | {201: {"model": ServiceOut, "description": "The service is new."}},
    openapi_extra=bodies.OPENAPI,
)
async def put_service(
    services: Services, caller: Operator, name: Named, body: bodies.Text, response: Response, if_match: IfMatch = None
) -> ServiceOut:
    """Apply a service file. Releases that run keep the plan that they started with.

    The same file again changes nothing. Every mistake is told with its place.
    """

    def put() -> ServiceOut:
        applied = apply(services, bodies.read(services, name, body), caller, if_match)
        response.headers["ETag"] = etag.etag(applied.record.revision)
        response.status_code = 201 if applied.created else 200
        return shown(services, applied.record)

    return await run_in_threadpool(put)


@router.delete("/{name}", status_code=204, responses=READ | errors("unknown-service", "in-use", "busy"))
def delete_service(services: Services, caller: Admin, name: Named) -> None:
    """Forget a service file. Its history stays, and so does its traffic."""
    delete(services, name, caller)


@router.post(
    "/{name}/check", responses=READ | errors("malformed", "unsupported-media-type"), openapi_extra=bodies.OPENAPI
)
async def check_service(services: Services, _: Viewer, name: Named, body: bodies.Text) -> CheckOut:
    """Check a service file without storing it: every mistake with its place, or the plan that a release would get."""

    def check() -> CheckOut:
        try:
            document = bodies.read(services, name, body)
            _, compiled = services.check(document)
        except Invalid as error:
            return CheckOut(valid=False, mistakes=[MistakeOut.model_validate(one) for one in mistakes(error)])
        stored = services.ledger.service(name)
        changes = stored is None or stored.digest != digest(document.values)
        return CheckOut(valid=True, plan=plan(name, compiled), changes=changes)

    return await run_in_threadpool(check)


def stored(services: AppServices, name: str) -> ServiceRecord:
    record = services.ledger.service(name)
    if record is None:
        raise Problem("unknown-service", f"there is no service {name}")
    return record


def shown(services: AppServices, record: ServiceRecord) -> ServiceOut:
    return _shown(services, record, services.book.fresh(record.name), services.history.rows(record.name))


def every(services: AppServices) -> list[ServiceOut]:
    """All services, asked for together, however many."""
    records, rows = services.ledger.services(), defaultdict[str, list[Row]](list)
    entries = services.book.read([record.name for record in records])
    for row in services.history.rows():
        rows[row.target.service].append(row)
    return [_shown(services, record, entries[record.name], rows[record.name]) for record in records]


def _shown(services: AppServices, record: ServiceRecord, entry: Entry | None, rows: Sequence[Row]) -> ServiceOut:
    """A deployer is asked after only where the service file names one."""
    near = {
        row.target.cluster: beside(services.ledger, row.target.active or row.target.last)
        for row in rows
        if entry and entry.service and application_of(entry.service, row.target.cluster)
    }
    return service(record, rows, entry.broken if entry else "", near)
