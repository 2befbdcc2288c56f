"""Applying a service file: a new revision where it says something new, and a target for each of its clusters."""

from dataclasses import dataclass

from api import etag
from api.problems import Problem
from api.services import AppServices
from delivery.catalog.document import Document
from delivery.model.codec import digest
from delivery.model.ids import Principal, target_id
from delivery.model.service import Service
from delivery.model.target import Target
from delivery.ports.ledger import Row, ServiceRecord


@dataclass(frozen=True, slots=True)
class Applied:
    record: ServiceRecord
    created: bool


def apply(services: AppServices, document: Document, by: Principal, if_match: str | None) -> Applied:
    """Stores the document. The same one again changes nothing. Raises Invalid or Problem."""
    service, _ = services.check(document)
    stored = services.ledger.service(service.name)
    etag.check(if_match, stored.revision if stored else 0)
    fresh = digest(document.values)
    if stored is not None:
        _keeps_active(services, service)
    if stored is None or stored.digest != fresh:
        revision = stored.revision + 1 if stored else 1
        record = ServiceRecord(service.name, document.values, fresh, revision, services.clock.now(), by)
        if not services.ledger.put_service(record):
            raise Problem(
                "changed-meanwhile", f"{service.name} was applied by somebody else at this moment: look again"
            )
    else:
        record = stored
    _create_targets(services, service)
    return Applied(record, created=stored is None)


def _create_targets(services: AppServices, service: Service) -> None:
    for cluster in service.clusters:
        target = Target(target_id(service.name, cluster), service.name, cluster)
        services.ledger.create_target(Row(target, due_why="the first release"))
    services.hints.due(service.clusters)


def _keeps_active(services: AppServices, service: Service) -> None:
    """A cluster that a release runs in cannot be taken out of the file."""
    for row in services.history.rows(service.name):
        if row.target.active and row.target.cluster not in service.clusters:
            raise Problem(
                "in-use", f"release {row.target.active} runs in cluster {row.target.cluster}: abort it or let it end"
            )


def delete(services: AppServices, name: str) -> None:
    """Raises the problems `unknown-service` and `in-use`."""
    if services.ledger.service(name) is None:
        raise Problem("unknown-service", f"there is no service {name}")
    for row in services.history.rows(name):
        if row.target.active or row.target.queue:
            which = row.target.active or row.target.queue[0]
            raise Problem("in-use", f"release {which} is not over: abort it or let it end")
    services.ledger.delete_service(name)
