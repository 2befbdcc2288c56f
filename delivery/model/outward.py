"""What other systems are told of releases, and which of them wants to know what."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Topic(StrEnum):
    """What happened, as it is named on the wire."""

    STARTED = "release.started"  # its turn came
    STAGE_REACHED = "release.stage_reached"  # the stage's traffic is proven at the proxies
    NEEDS_PERSON = "release.needs_person"  # it goes on only once somebody has decided something
    PROMOTED = "release.promoted"
    ROLLED_BACK = "release.rolled_back"  # everybody is back at stable, proven
    ENDED = "release.ended"  # any other end: withdrawn, cancelled, superseded, never started
    WINDOW_CLOSED = "release.window_closed"  # the replaced version is no longer kept ready to come back


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An entry of the server's configuration. Patterns are those of file names: `checkout-*`. Empty: all of them."""

    name: str
    services: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()

    @property
    def channel(self) -> str:
        """How its rows in the outbox are addressed."""
        return f"{self.name}:"

    def concerned(self, service: str, owners: Sequence[str], cluster: str) -> bool:
        """Whether anything of this service in this cluster is for it."""
        return _any(self.services, (service,)) and _any(self.owners, owners) and _any(self.clusters, (cluster,))

    def wants(self, topic: Topic) -> bool:
        return not self.topics or topic in self.topics


def _any(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
