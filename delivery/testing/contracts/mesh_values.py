"""What a test of a mesh works with: its world, and a service with its versions."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from delivery.adapters.mesh.answer import Request
from delivery.model.ids import ReleaseId, TargetId, target_id
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, Endpoint
from delivery.ports.mesh import Live, Mesh, Route, Stamp

RELEASE = ReleaseId("rel_1")


@dataclass(frozen=True, slots=True)
class Reply:
    """`version` is None where no version made the answer. A None among the cookies takes one back."""

    status: int
    version: str | None
    cookies: Mapping[str, str | None] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The methods of the requests that a version has got: of users, and copies."""

    users: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


class Load(Protocol):
    """Users who ask without a break."""

    @property
    def failed(self) -> Mapping[str, int]:
        """What the answers were like that no version made, and how many."""

    def wait(self, requests: int) -> None:
        """Returns when so many more were answered."""


class World(Protocol):
    """A mesh with its proxies, versions behind it and users before it; made afresh for every test."""

    cluster: str

    @property
    def mesh(self) -> Mesh: ...

    @property
    def other(self) -> Mesh:
        """The same mesh, as another worker has it."""

    def run(self, service: str, version: str) -> Backend:
        """Starts a version; nobody knows it yet."""

    def copy(self, backend: Backend) -> Backend:
        """Starts a copy of a version that runs, for `RELEASE`; nobody knows it yet."""

    def endpoints(self, backend: Backend) -> tuple[Endpoint, ...]: ...

    def end(self, backend: Backend) -> None:
        """The version ends without a word: connections to it are refused."""

    def asked(self, backend: Backend) -> Asked: ...

    def send(self, requests: Sequence[Request]) -> list[Reply]:
        """Many at once; the replies are in the order of the requests."""

    def load(self, service: str) -> AbstractContextManager[Load]: ...

    def freeze(self) -> None:
        """Every proxy stops where it is."""

    def thaw(self) -> None: ...

    def edit(self, target: TargetId, candidate_weight: int) -> None:
        """Somebody else changes the split, past the port, and leaves the stamp as it is."""

    def strip(self, target: TargetId) -> None:
        """Somebody else removes the stamp."""

    def until(self, condition: Callable[[], bool]) -> None:
        """Returns when it holds; fails after a time that no healthy mesh needs."""


@dataclass
class Case:
    """A service with two published versions, and short words for what tests do with it."""

    world: World
    service: str
    stable: Backend
    candidate: Backend
    seq: int = 1
    epoch: int = 1
    tag: str = "7"
    copy: Backend | None = None

    @property
    def target(self) -> TargetId:
        return target_id(self.service, self.world.cluster)

    def route(self, traffic: Traffic) -> Route:
        copy = self.copy if traffic.baseline is not None else None
        return Route(self.target, self.service, self.stable, self.candidate, traffic, self.tag, copy)

    def stamp(self) -> Stamp:
        return Stamp(self.epoch, RELEASE, self.seq, self.seq, f"head-{self.seq}")

    def write(self, traffic: Traffic) -> Live:
        """Writes the traffic under a new dseq."""
        self.seq += 1
        return self.world.mesh.write(self.route(traffic), self.stamp(), self.world.mesh.read(self.target).revision)

    def shift(self, traffic: Traffic) -> None:
        """Writes it and waits for the proof."""
        self.write(traffic)
        self.world.until(self.proven)

    def proven(self, dseq: int | None = None) -> bool:
        return self.world.mesh.confirm(self.target, RELEASE, dseq or self.seq).proven

    def send(self, count: int, request: Request | None = None) -> list[Reply]:
        return self.world.send([request or Request(self.service)] * count)

    def versions(self, count: int = 20, request: Request | None = None) -> set[str | None]:
        """Who answers."""
        return {reply.version for reply in self.send(count, request)}


def make_case(world: World, service: str = "checkout") -> Case:
    """The service with both versions running and published, and no route yet."""
    case = Case(world, service, world.run(service, "1.4.1"), world.run(service, "1.4.2"))
    for backend in (case.stable, case.candidate):
        publish(world, case.target, backend)
    return case


def make_compared(world: World) -> Case:
    """The same with a copy of stable, published too."""
    case = make_case(world)
    case.copy = world.copy(case.stable)
    publish(world, case.target, case.copy)
    return case


def publish(world: World, target: TargetId, backend: Backend) -> None:
    """Makes a running version known, and waits until it is."""
    endpoints = world.endpoints(backend)
    world.until(lambda: world.mesh.publish(target, backend, endpoints))
