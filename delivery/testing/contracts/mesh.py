"""What every Mesh adapter has to do, told by writes, confirmations and requests that are really answered.

An adapter's test makes a World of it and inherits the classes of this module and of `mesh_traffic`.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

import pytest

from delivery.adapters.mesh.answer import Request
from delivery.model.event import Level
from delivery.model.ids import ReleaseId, TargetId, target_id
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.model.version import Backend, Endpoint
from delivery.ports.errors import Conflict, PortError, Refused, Unavailable
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


class MeshContract:
    """Reads, writes, the fence, confirmations, backends. A subclass has a fixture `world`."""

    def test_an_absent_route_can_be_created_once(self, world: World) -> None:
        case = make_case(world)
        absent = world.mesh.read(case.target)
        assert (absent.stamp, absent.content) == (None, "")
        world.mesh.write(case.route(ALL_STABLE), case.stamp(), absent.revision)
        with pytest.raises(Conflict):
            world.mesh.write(case.route(ALL_CANDIDATE), case.stamp(), absent.revision)

    def test_what_was_written_is_read_back_with_its_stamp(self, world: World) -> None:
        case = make_case(world)
        case.epoch = 3
        written = case.write(Traffic(weight=30))
        assert world.mesh.read(case.target) == written
        assert written.stamp == case.stamp()
        assert written.weight == 30

    def test_a_write_fails_if_anything_was_written_since_it_read(self, world: World) -> None:
        case = make_case(world)
        first = case.write(ALL_STABLE)
        second = case.write(Traffic(weight=10))
        with pytest.raises(Conflict):
            world.mesh.write(case.route(ALL_CANDIDATE), case.stamp(), first.revision)
        assert world.mesh.read(case.target) == second

    def test_of_two_writers_at_once_one_wins(self, world: World) -> None:
        case = make_case(world)
        for _ in range(5):
            expect = case.write(ALL_STABLE).revision
            ours, theirs = case.route(Traffic(weight=10)), case.route(Traffic(weight=20))

            def attempt(mesh: Mesh, route: Route, expect: str = expect) -> Live | None:
                try:
                    return mesh.write(route, case.stamp(), expect)
                except Conflict:
                    return None

            with ThreadPoolExecutor(2) as pool:
                tries = [pool.submit(attempt, world.mesh, ours), pool.submit(attempt, world.other, theirs)]
            won = [live for each in tries if (live := each.result()) is not None]
            assert len(won) == 1
            assert world.mesh.read(case.target) == won[0]

    def test_writers_of_different_routes_do_not_meet(self, world: World) -> None:
        ours, theirs = make_case(world), make_case(world, "billing")
        read = world.mesh.read(ours.target)
        before = theirs.write(Traffic(weight=40))
        world.mesh.write(ours.route(ALL_STABLE), ours.stamp(), read.revision)
        assert world.mesh.read(theirs.target) == before

    def test_a_foreign_change_fails_a_write_that_did_not_see_it(self, world: World) -> None:
        case = make_case(world)
        read = case.write(Traffic(weight=10))
        world.edit(case.target, 90)
        with pytest.raises(Conflict):
            world.mesh.write(case.route(ALL_STABLE), case.stamp(), read.revision)

    def test_live_tells_what_somebody_else_made_of_the_route(self, world: World) -> None:
        case = make_case(world)
        written = case.write(Traffic(weight=10))
        world.edit(case.target, 90)
        edited = world.mesh.read(case.target)
        assert edited.weight == 90
        assert edited.content != written.content
        world.strip(case.target)
        assert world.mesh.read(case.target).stamp is None

    def test_observe_changes_exactly_with_content(self, world: World) -> None:
        ours, theirs = make_case(world), make_case(world, "billing")
        assert ours.target not in world.mesh.observe()
        first, other = ours.write(ALL_STABLE), theirs.write(ALL_STABLE)
        assert world.mesh.observe() == {ours.target: first.seen, theirs.target: other.seen}
        again = ours.write(ALL_STABLE)
        assert again.content != first.content, "a new stamp is new content"
        world.strip(ours.target)
        seen = world.mesh.observe()
        assert seen[ours.target].content not in (first.content, again.content)
        assert seen[theirs.target] == other.seen

    def test_the_token_is_proven_by_itself_or_a_newer_one_of_its_release(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=10))
        assert case.proven(case.seq - 1)
        assert not case.proven(case.seq + 1)
        confirmation = world.mesh.confirm(case.target, ReleaseId("rel_2"), case.seq)
        assert not confirmation.proven
        assert len(confirmation.missing) == confirmation.proxies
        assert world.mesh.confirm(case.target, RELEASE, case.seq).level in (Level.PROBED, Level.ACKED)

    def test_a_route_that_was_never_written_is_not_proven(self, world: World) -> None:
        case = make_case(world)
        assert not case.proven()

    def test_a_new_owner_can_prove_the_same_token_again(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=10))
        case.epoch += 1
        world.mesh.write(case.route(Traffic(weight=10)), case.stamp(), world.mesh.read(case.target).revision)
        world.until(case.proven)

    def test_nothing_is_proven_of_proxies_that_stand_still(self, world: World) -> None:
        case = make_case(world)
        case.shift(ALL_STABLE)
        world.freeze()
        try:
            case.write(Traffic(weight=10))
            with suppress(Unavailable):
                assert not case.proven()
        finally:
            world.thaw()
        world.until(case.proven)

    def test_a_refused_route_leaves_every_route_as_it_was(self, world: World) -> None:
        case, other = make_case(world), make_case(world, "billing")
        case.shift(ALL_STABLE)
        other.shift(ALL_CANDIDATE)
        before = world.mesh.read(case.target)
        broken = Match(headers=(HeaderMatch("x-beta", MatchKind.REGEX, "(unclosed"),))
        with pytest.raises(Refused, match=r"(?i)regex|unclosed|missing \)"):
            case.write(Traffic(rules=(Rule("beta", (broken,)),)))
        assert world.mesh.read(case.target) == before
        other.shift(ALL_STABLE)
        assert other.versions() == {"1.4.1"}
        assert case.versions() == {"1.4.1"}
        case.shift(ALL_CANDIDATE)
        assert case.versions() == {"1.4.2"}

    def test_a_route_may_name_only_what_is_published(self, world: World) -> None:
        case = make_case(world)
        case.shift(ALL_STABLE)
        case.candidate = world.run(case.service, "1.4.3")
        with pytest.raises(Refused, match=case.candidate.name):
            case.write(Traffic(weight=10))
        publish(world, case.target, case.candidate)
        case.shift(ALL_CANDIDATE)
        assert case.versions() == {"1.4.3"}

    def test_publishing_again_is_harmless(self, world: World) -> None:
        case = make_case(world)
        case.shift(ALL_STABLE)
        for _ in range(3):
            assert world.mesh.publish(case.target, case.stable, world.endpoints(case.stable))
        assert case.versions() == {"1.4.1"}

    def test_a_version_that_moved_is_followed(self, world: World) -> None:
        case = make_case(world)
        case.shift(ALL_STABLE)
        world.end(case.stable)
        moved = world.run(case.service, "1.4.1")
        publish(world, case.target, moved)
        assert case.versions() == {"1.4.1"}

    def test_a_backend_that_a_route_names_is_kept(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=10))
        with pytest.raises(Conflict):
            world.mesh.withdraw(case.target, case.candidate)
        assert case.versions(100) == {"1.4.1", "1.4.2"}
        case.shift(ALL_STABLE)
        world.mesh.withdraw(case.target, case.candidate)
        world.mesh.withdraw(case.target, case.candidate)
        assert case.versions() == {"1.4.1"}
        with pytest.raises(Refused):
            case.write(Traffic(weight=10))

    def test_a_backend_is_kept_while_a_proxy_may_still_run_a_route_to_it(self, world: World) -> None:
        case = make_case(world)
        case.shift(ALL_CANDIDATE)
        world.freeze()
        try:
            case.write(ALL_STABLE)
            with pytest.raises((Conflict, Unavailable)):
                world.mesh.withdraw(case.target, case.candidate)
        finally:
            world.thaw()
        world.until(lambda: _withdrawn(case))
        assert case.versions() == {"1.4.1"}

    def test_the_live_weight_is_the_candidate_s_alone(self, world: World) -> None:
        case = make_compared(world)
        written = case.write(Traffic(weight=20, baseline=30))
        assert world.mesh.read(case.target) == written
        assert written.weight == 20
        world.edit(case.target, 40)
        edited = world.mesh.read(case.target)
        assert edited.weight == 40
        assert edited.content != written.content
        assert world.mesh.observe()[case.target] == edited.seen

    def test_a_copy_is_kept_while_a_route_names_it_and_stable_stays_when_it_goes(self, world: World) -> None:
        case = make_compared(world)
        assert case.copy is not None
        case.shift(Traffic(weight=10, baseline=10))
        with pytest.raises(Conflict):
            world.mesh.withdraw(case.target, case.copy)
        case.shift(Traffic(weight=10))
        for _ in range(2):
            world.mesh.withdraw(case.target, case.copy)
        assert case.versions(100) == {"1.4.1", "1.4.2"}
        with pytest.raises(Refused, match=case.copy.name):
            case.write(Traffic(weight=10, baseline=10))

    def test_a_share_and_a_copy_go_together(self, world: World) -> None:
        case = make_compared(world)
        nobody = replace(case.route(Traffic(weight=10, baseline=10)), copy=None)
        nothing = replace(case.route(Traffic(weight=10)), copy=case.copy)
        for route in (nobody, nothing):
            with pytest.raises(Refused, match="copy"):
                world.mesh.write(route, case.stamp(), world.mesh.read(case.target).revision)

    def test_traffic_that_no_backend_can_carry_is_refused(self, world: World) -> None:
        case = make_case(world)
        alone = replace(case.route(Traffic(weight=10)), stable=None)
        nothing = replace(case.route(Traffic(weight=10)), candidate=None)
        for route in (alone, nothing):
            with pytest.raises(Refused):
                world.mesh.write(route, case.stamp(), world.mesh.read(case.target).revision)


class Pausable(World, Protocol):
    """Of a mesh in which people can stop our writes at the route itself."""

    def pause(self, target: TargetId, reason: str | None) -> None:
        """Somebody stops our writes, or gives the route back (None). Returns when every worker can see it."""


class PauseContract:
    """What a mesh does whose routes can be paused in it. A subclass has a fixture `world` that is Pausable."""

    def test_nothing_is_written_until_it_is_given_back(self, world: Pausable) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=10))
        before = world.mesh.read(case.target)
        world.pause(case.target, "Ann, INC-123")
        paused = world.mesh.read(case.target)
        assert "Ann, INC-123" in (paused.paused or "")
        assert (paused.stamp, paused.content, paused.weight) == (before.stamp, before.content, 10), "no drift of ours"
        for mesh in (world.mesh, world.other):
            assert mesh.observe()[case.target] == paused.seen
        with pytest.raises(Unavailable, match="INC-123"):
            case.write(ALL_STABLE)
        assert world.mesh.read(case.target) == paused
        assert case.proven(case.seq - 1), "what proxies run can still be told"
        world.pause(case.target, None)
        assert world.mesh.read(case.target).seen == world.mesh.observe()[case.target] == before.seen
        case.shift(ALL_STABLE)
        assert case.versions() == {"1.4.1"}

    def test_a_write_that_did_not_see_the_pause_fails(self, world: Pausable) -> None:
        case = make_case(world)
        read = case.write(Traffic(weight=10))
        world.pause(case.target, "Ann")
        with pytest.raises(Conflict):
            world.mesh.write(case.route(ALL_STABLE), case.stamp(), read.revision)

    def test_a_route_that_was_never_ours_can_be_paused_too(self, world: Pausable) -> None:
        case = make_case(world)
        world.pause(case.target, "Ann")
        found = world.mesh.read(case.target)
        assert (found.content, found.stamp) == ("", None)
        assert "Ann" in (found.paused or "")
        with pytest.raises(Unavailable):
            case.write(ALL_STABLE)


def _withdrawn(case: Case) -> bool:
    try:
        case.world.mesh.withdraw(case.target, case.candidate)
    except PortError:
        return False
    return True
