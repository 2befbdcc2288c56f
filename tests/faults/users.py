"""Users of several services behind a real gateway, counted by who answered them, and what they must never get."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any

from delivery.model.event import Phase
from delivery.model.ids import ReleaseId, target_id
from delivery.model.release import Release
from tests.cluster.shop import OLD
from tests.cluster.steady import Steady
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.whole import CLUSTER
from tests.faults.written import Stored

RATE = 25.0
"""Requests a second of the users of each service."""
LOOKED_AT = 50
"""Requests that tell who answers now."""
BEHIND = 5.0
"""Seconds that proxies, our eyes and a load that catches up may be behind what is stored."""
SIGMAS = 5


class Users:
    """RATE requests a second to each of `hosts`, by service, from the beginning until `stop`."""

    def __init__(self, cluster: Cluster, folder: Path, hosts: Mapping[str, str]) -> None:
        self._loads: dict[str, Steady] = {}
        for service, host in hosts.items():
            place = folder / f"users-{service}"
            place.mkdir()
            self._loads[service] = Steady(cluster, place, host, RATE)

    def answered(self, service: str) -> set[str]:
        """Which versions answer from now on; "nobody" where one of the requests got no version's answer."""
        load = self._loads[service]
        load.wait(load.counts()["sent"])  # what was under way
        before = load.counts()
        load.wait(before["answered"] + LOOKED_AT)
        after = load.counts()
        found = {version for version, count in (_by_version(after) - _by_version(before)).items() if count}
        return found | ({"nobody"} if after["failed"] != before["failed"] else set())

    def stop(self) -> dict[str, dict[str, Any]]:
        """All counts, by service. Idempotent."""
        return {service: load.stop() for service, load in self._loads.items()}


def exposure(stored: Sequence[Stored], releases: Iterable[Release], service: str) -> dict[str, float]:
    """By version: for how many seconds, times the share, stored routes gave it users. Of what is or was stable: inf."""
    shares = [
        (one.at, one.entry.stamp.release, one.entry.route.traffic.weight / 100)
        for one in stored
        if one.entry.route.service == service and one.entry.stamp is not None
    ]
    found = {OLD.version: inf}
    for release in releases:
        if release.target == target_id(service, CLUSTER):
            promoted = release.phase is Phase.PROMOTED
            found[release.candidate.version] = inf if promoted else seconds_of(shares, release.id)
    return found


def seconds_of(shares: Sequence[tuple[float, ReleaseId, float]], release: ReleaseId) -> float:
    """Of `shares`, which are since when, whose and how much. Each change may have come earlier or later."""
    own = [(0.0, 0.0), *((at, share if whose == release else 0.0) for at, whose, share in shares)]
    steps = [*pairwise(own)]
    return sum(share * (then - at) + abs(after - share) * BEHIND for (at, share), (then, after) in steps)


def wronged(
    service: str, counts: Mapping[str, Any], is_bad: Callable[[str], bool], exposed: Mapping[str, float]
) -> Iterator[str]:
    """What users had to bear beyond errors of bad candidates, in as many requests as stored routes gave those."""
    if counts["failed"] or counts["skipped"] or counts["answered"] != counts["sent"]:
        lost = {key: counts[key] for key in ("failed", "skipped", "answered", "sent")}
        yield f"users: no version of {service} answered some requests: {lost}"
    for version, seen in counts["versions"].items():
        if seen["errors"] and not is_bad(version):
            yield f"users: {seen['errors']} errors of {version} of {service}, which is not bad"
        most = exposed.get(version, 0.0) * RATE
        if seen["requests"] > most + SIGMAS * most**0.5:
            yield f"users: {version} of {service} had {seen['requests']} requests, its routes gave it {most:.0f}"


def _by_version(counts: Mapping[str, Any]) -> Counter[str]:
    return Counter({version: seen["requests"] for version, seen in counts["versions"].items()})
