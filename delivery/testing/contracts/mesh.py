"""What every Mesh adapter has to do, told by writes, confirmations and requests that are really answered.

An adapter's test makes a World of it and inherits the classes of this module and of `mesh_traffic`.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import pytest

from delivery.model.event import Level
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.ports.errors import Conflict, PortError, Refused, Unavailable
from delivery.ports.mesh import Live, Mesh, Route
from delivery.testing.contracts.mesh_values import RELEASE, Case, World, make_case, make_compared, publish


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

    def test_a_confirmation_is_of_the_route_that_is_stored_when_it_is_asked(self, world: World) -> None:
        """Whoever wrote it: what one worker proved is no proof to it once another has written."""
        case = make_case(world)
        case.shift(Traffic(weight=10))
        first = world.mesh.read(case.target)
        assert world.mesh.confirm(case.target, RELEASE, case.seq).content == first.content
        case.epoch += 1
        stamp = replace(case.stamp(), dseq=case.seq + 1, head="lost")
        later = world.other.write(case.route(ALL_STABLE), stamp, world.other.read(case.target).revision)

        def proven() -> bool:
            found = world.mesh.confirm(case.target, RELEASE, case.seq)
            assert not (found.proven and found.content != later.content)
            return found.proven

        world.until(proven)

    def test_a_change_by_somebody_else_is_not_what_was_proven(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=10))
        world.edit(case.target, 90)
        edited = world.mesh.read(case.target)
        found = world.mesh.confirm(case.target, RELEASE, case.seq)
        assert found.content == edited.content

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
