"""Applying a service file: a new revision where it says something new, and a target for each of its clusters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from api import etag
from api.access.caller import Caller
from api.access.reach import check, refuse
from api.problems import Problem
from api.same_deployment import only_one_releases
from api.services import AppServices
from delivery.catalog.document import Document
from delivery.model.codec import digest
from delivery.model.ids import target_id
from delivery.model.service import Service, Workload
from delivery.model.since import needed_by_file
from delivery.model.target import Target
from delivery.ports.rows import Row, Seen, ServiceRecord
from delivery.wording.units import listed

TRIES = 5


@dataclass(frozen=True, slots=True)
class Applied:
    record: ServiceRecord
    created: bool


def apply(services: AppServices, document: Document, caller: Caller, if_match: str | None) -> Applied:
    """Stores the document. The same one again changes nothing. Raises Invalid or Problem."""
    service, _ = services.check(document)
    _reaches(services, caller, service)
    for _ in range(TRIES):
        rows = services.history.rows(service.name)
        stored = services.ledger.service(service.name)
        etag.check(if_match, stored.revision if stored else 0)
        if stored is not None:
            _keeps_active(services, service, rows)
        record = _next(services, service.name, document, stored, caller)
        if record is not stored:
            only_one_releases(services, service)
        if record is stored or _put(services, service, record, rows):
            _create_targets(services, service)
            return Applied(record, created=stored is None)
    raise _busy(service.name)


def _next(
    services: AppServices, name: str, document: Document, stored: ServiceRecord | None, caller: Caller
) -> ServiceRecord:
    """The record to store; the one that is there where the document says nothing new."""
    fresh = digest(document.values)
    if stored is not None and stored.digest == fresh:
        return stored
    revision = stored.revision + 1 if stored else 1
    return ServiceRecord(name, document.values, fresh, revision, services.clock.now(), caller.principal)


def _put(services: AppServices, service: Service, record: ServiceRecord, rows: Sequence[Row]) -> bool:
    """False where a target moved since it was looked at: a release may have been opened. Raises Problem."""
    services.ledger.require(service.name, needed_by_file(service))  # before it can be read
    if services.ledger.put_service(record, _versions(rows)):
        return True
    now = services.ledger.service(service.name)
    if (now.revision if now else 0) != record.revision - 1:
        raise Problem("changed-meanwhile", f"{service.name} was applied by somebody else at this moment: look again")
    return False


def _versions(rows: Sequence[Row]) -> Seen:
    return {row.target.id: row.version for row in rows}


def _busy(name: str) -> Problem:
    return Problem(
        "busy", f"releases of {name} moved at each of {TRIES} looks: send it again in a second", {"Retry-After": "1"}
    )


def _reaches(services: AppServices, caller: Caller, service: Service) -> None:
    """Both what is there and what is to be: nobody takes over a service by writing themselves into its file."""
    refuse(caller, caller.refusal("apply", service.name, service.owners, service.clusters))
    if services.ledger.service(service.name) is not None:
        check(services, caller, "apply", service.name)


def _create_targets(services: AppServices, service: Service) -> None:
    for cluster in service.clusters:
        target = Target(target_id(service.name, cluster), service.name, cluster)
        services.ledger.create_target(Row(target, due_why="the first release", requires=needed_by_file(service)))
    services.hints.due(service.clusters)


def _keeps_active(services: AppServices, service: Service, rows: Sequence[Row]) -> None:
    """What an open release moves cannot be taken out of the file, nor be somewhere else from now on."""
    entry = services.book.fresh(service.name)
    before = entry.service if entry else None  # None: the stored file cannot be used, there is nothing to compare with
    for row in rows:
        target = row.target
        if target.active and target.cluster not in service.clusters:
            changed = "cluster"
        elif before is None or target.cluster not in service.clusters or target.cluster not in before.clusters:
            continue
        else:
            changed = _changed(before.workload_in(target.cluster), service.workload_in(target.cluster))
        if changed and target.active:
            problem = f"release {target.active} runs in cluster {target.cluster}, and this file changes its {changed}"
            raise Problem("in-use", f"{problem}: abort it or let it end, then apply again")
        if changed and target.retiring:
            version = target.retiring[0].version.version
            problem = f"{version} is kept in cluster {target.cluster} for its rollback window, and this file changes"
            raise Problem("in-use", f"{problem} its {changed}: apply it again when the window is over")


def _changed(before: Workload, after: Workload) -> str:
    """Which parts differ, by their names in the file; nothing where none does."""
    old, new = before.place, after.place
    if old is None or new is None:
        return "" if before == after else "workload"
    parts = {"namespace": old.namespace != new.namespace, "routes": old.routes != new.routes}
    rest = replace(old, namespace=new.namespace, routes=new.routes) != new
    return listed([*(name for name, differs in parts.items() if differs), *(["workload"] if rest else [])])


def delete(services: AppServices, name: str, caller: Caller) -> None:
    """Raises the problems `unknown-service`, `in-use` and `busy`."""
    if services.ledger.service(name) is None:
        raise Problem("unknown-service", f"there is no service {name}")
    check(services, caller, "delete", name)
    for _ in range(TRIES):
        rows = services.history.rows(name)
        for row in rows:
            if row.target.active or row.target.queue:
                which = row.target.active or row.target.queue[0]
                raise Problem("in-use", f"release {which} is not over: abort it or let it end")
        if services.ledger.delete_service(name, _versions(rows)):
            return
    raise _busy(name)
