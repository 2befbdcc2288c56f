"""What a deployer beside us says of itself, noted for people while a release of its service runs.

Nothing follows from it. It is read every few seconds, and never where no release runs.
"""

import json
from contextlib import suppress
from dataclasses import asdict

from delivery.engine.cluster import Cluster
from delivery.engine.parts import Parts
from delivery.model.ids import ReleaseId, TargetId, target_id
from delivery.model.place import Promotion
from delivery.model.service import Service
from delivery.model.standing import Standing
from delivery.ports.errors import PortError

BESIDE = "beside"
"""The note of a release that has it."""
EVERY = 5.0
ARGOCD = Promotion.ARGOCD.value


class Beside:
    """Of one cluster."""

    def __init__(self, parts: Parts, cluster: Cluster) -> None:
        self._ledger = parts.ledger
        self._book = parts.book
        self._clock = parts.clock
        self._cluster = cluster
        self._noted: dict[ReleaseId, Standing] = {}
        self._next = 0.0

    def run(self) -> None:
        """Notes what has changed since the last look."""
        now = self._clock.monotonic()
        if now < self._next or ARGOCD not in self._cluster.deployers:
            return
        self._next = now + EVERY
        names = self._applications()
        open_ = {
            snapshot.row.target.active: names[target]
            for target, snapshot in self._ledger.load(sorted(names)).items()
            if snapshot.row.target.active is not None
        }
        self._noted = {release: seen for release, seen in self._noted.items() if release in open_}
        for release, name in open_.items():
            if release is not None:
                self._look(release, name)

    def _look(self, release: ReleaseId, name: str) -> None:
        with suppress(PortError):  # what was noted last stays, with its time
            seen = self._cluster.deployers[ARGOCD].stands(name)
            if self._noted.get(release) != seen:
                note = {**asdict(seen), "at": self._clock.now()}
                self._ledger.note_posted(release, BESIDE, json.dumps(note, sort_keys=True))
                self._noted[release] = seen

    def _applications(self) -> dict[TargetId, str]:
        """By target, where its service file names one."""
        found = {}
        for record in self._ledger.services():
            entry = self._book.recent(record.name)
            name = application_of(entry.service, self._cluster.name) if entry and entry.service else None
            if name is not None:
                found[target_id(record.name, self._cluster.name)] = name
        return found


def application_of(service: Service, cluster: str) -> str | None:
    """The Application of Argo CD that a service file names: for its promotion, or in a trigger."""
    if cluster not in service.clusters:
        return None
    place = service.workload_in(cluster).place
    if place is not None and place.parameter is not None:
        return place.parameter.application
    named = (one.where.get("application", "*") for one in service.triggers if one.cluster in (None, cluster))
    return next((name for name in named if not set(name) & set("*?[")), None)
