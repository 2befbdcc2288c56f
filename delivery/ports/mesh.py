"""Port: the proxies' routes. Implemented by adapters/mesh; the fence in engine/fence.py is the only writer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from delivery.model.event import Level
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Endpoint


@dataclass(frozen=True, slots=True)
class Route:
    """The whole desired traffic of a target, over backends. `stable` is None for the first version of a service.

    `tag` names the release in what users carry (sticky cookies) and in headers (preview). `copy` is the copy of stable
    that `traffic.baseline` percent go to, there exactly where that is.
    """

    target: TargetId
    service: str
    stable: Backend | None
    candidate: Backend | None
    traffic: Traffic
    tag: str = ""
    copy: Backend | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every write of ours leaves on the route. `(release, dseq)` is the token that a confirmation looks for.

    `head` is the hash of the release's newest event at the time of the write, `seq` its number.
    """

    epoch: int
    release: ReleaseId
    dseq: int
    seq: int
    head: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What is told of a route without reading it: `content` and `paused` of its Live."""

    content: str
    paused: str | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """A route as it is stored in the mesh now.

    `revision` is opaque: a write that expects it fails if anything was written in between. `content` is a digest of the
    part that is ours, stamp included. `weight` is the candidate's live weight (of the stamped release), without what a
    copy of stable has. `paused` says
    where somebody has stopped our writes in the mesh itself, why, and how that ends; nothing may be written then.
    """

    revision: str
    stamp: Stamp | None
    content: str
    weight: int = 0
    paused: str | None = None

    @property
    def seen(self) -> Seen:
        return Seen(self.content, self.paused)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """`proven` only if every proxy runs the token or a newer one of the same route. `missing` names those that do not.

    `refused` is a proxy's own text where one refused the configuration. `content` is, as in Live, that of the route
    which was asked after; what is proven was stored like this when it was asked, whoever wrote it.
    """

    proven: bool
    level: Level
    proxies: int = 0
    missing: tuple[str, ...] = ()
    refused: str | None = None
    content: str = ""


class Mesh(Protocol):
    """Every call is bounded in time. Raises Unavailable; write raises Conflict and Refused too."""

    def read(self, target: TargetId) -> Live:
        """The route as stored; a target without one has an empty `content` and a revision to create it with."""

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        """Replaces the route if its revision is still `expect`. A refused write leaves the old one in force.

        Raises Unavailable where the route is paused; what the fence has read says so before.
        """

    def confirm(self, target: TargetId, release: ReleaseId, dseq: int) -> Confirmation:
        """Whether the proxies run what was written under this token. Asks once, does not wait."""

    def publish(self, target: TargetId, backend: Backend, endpoints: tuple[Endpoint, ...]) -> bool:
        """Makes the backend known; True once every proxy could send it a request. Asked again until then."""

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        """Forgets a backend. Raises Conflict where a route still names it."""

    def observe(self) -> Mapping[TargetId, Seen]:
        """Every route that has something of ours, in one cheap call: what the observer compares.

        A mapping that was given does not change any more. The very same one again says that nothing has changed.
        """
