"""Service files beside each other: no two of them may release one Deployment."""

from api.problems import Problem
from api.services import AppServices
from delivery.model.place import Mode, Place
from delivery.model.service import Service


def only_one_releases(services: AppServices, service: Service) -> None:
    """Raises Problem where another service's file names the same Deployment in a cluster, and one of both copies it.

    Each would take for stable what the other has promoted, and bring its own version home over it.
    """
    names = [record.name for record in services.ledger.services() if record.name != service.name]
    for name, entry in services.book.read(names).items():
        if entry is None or entry.service is None:
            continue
        for cluster in sorted({*service.clusters} & {*entry.service.clusters}):
            ours, theirs = service.workload_in(cluster).place, entry.service.workload_in(cluster).place
            if ours is not None and theirs is not None and _same_home(ours, theirs):
                where = f"Deployment {ours.namespace}/{ours.deployment} in cluster {cluster}"
                raise Problem("in-use", f"{where} is released by service {name}: take it out of one of the two files")


def _same_home(one: Place, other: Place) -> bool:
    modes = {one.mode, other.mode}
    same = (one.namespace, one.deployment) == (other.namespace, other.deployment)
    return same and Mode.CLONE in modes and Mode.OBSERVE not in modes
