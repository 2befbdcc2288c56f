"""Routes in a git repository that somebody else applies, on a real API server, istiod and Envoy: the mesh contract, and
what is different."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.model.event import Level
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.ports.errors import Conflict
from delivery.testing.contracts.mesh import MeshContract
from delivery.testing.contracts.mesh_traffic import TrafficContract
from delivery.testing.contracts.mesh_values import RELEASE, make_case
from tests.cluster import git_world
from tests.cluster.git_world import FOLDER, GitWorld
from tests.cluster.testbed.cluster import Cluster


@pytest.fixture
def world(cluster: Cluster, namespace: str, istiods: Istiods, tmp_path: Path) -> Iterator[GitWorld]:
    yield from git_world.running(cluster, namespace, istiods, tmp_path)


class TestMesh:
    """Of the contract what a commit in the middle could change: a backend takes a quarter of a minute to be known."""

    test_stamps = MeshContract.test_what_was_written_is_read_back_with_its_stamp
    test_unseen_writes = MeshContract.test_a_write_fails_if_anything_was_written_since_it_read
    test_two_writers = MeshContract.test_of_two_writers_at_once_one_wins
    test_foreign_changes = MeshContract.test_a_foreign_change_fails_a_write_that_did_not_see_it
    test_what_somebody_else_made = MeshContract.test_live_tells_what_somebody_else_made_of_the_route
    test_tokens = MeshContract.test_the_token_is_proven_by_itself_or_a_newer_one_of_its_release
    test_another_workers_write = MeshContract.test_a_confirmation_is_of_the_route_that_is_stored_when_it_is_asked
    test_foreign_content = MeshContract.test_a_change_by_somebody_else_is_not_what_was_proven
    test_frozen_proxies = MeshContract.test_nothing_is_proven_of_proxies_that_stand_still
    test_backends_in_use = MeshContract.test_a_backend_is_kept_while_a_proxy_may_still_run_a_route_to_it

    def test_observe_changes_exactly_with_content(self, world: GitWorld) -> None:
        """Once it is applied: what was only committed is not there yet."""
        ours, theirs = make_case(world), make_case(world, "billing")
        first, other = ours.write(ALL_STABLE), theirs.write(ALL_STABLE)
        world.until(lambda: world.mesh.observe() == {ours.target: first.seen, theirs.target: other.seen})
        again = ours.write(ALL_STABLE)
        assert again.content != first.content
        world.strip(ours.target)
        seen = world.mesh.observe()
        assert seen[ours.target].content not in (first.content, again.content)
        assert seen[theirs.target] == other.seen

    def test_a_refused_route_leaves_every_route_as_it_was(self, world: GitWorld) -> None:
        """Nobody may try it first: it is committed, the cluster refuses it, and the next commit mends it."""
        case, other = make_case(world), make_case(world, "billing")
        case.shift(ALL_STABLE)
        other.shift(ALL_CANDIDATE)
        broken = Match(headers=(HeaderMatch("x-beta", MatchKind.REGEX, "(unclosed"),))
        case.write(Traffic(rules=(Rule("beta", (broken,)),)))
        other.shift(ALL_STABLE)
        assert other.versions() == {"1.4.1"}
        assert not case.proven()
        assert case.versions() == {"1.4.1"}
        case.shift(ALL_CANDIDATE)
        assert case.versions() == {"1.4.2"}


class TestTraffic:
    """Each split is a commit: those that say the most."""

    test_exact = TrafficContract.test_nothing_and_everything_are_exact
    test_copies = TrafficContract.test_copies_reach_the_candidate_and_no_client
    test_switches = TrafficContract.test_no_request_fails_by_a_switch


def test_a_route_counts_once_it_is_applied_and_the_proxies_have_it(world: GitWorld) -> None:
    case = make_case(world)
    case.shift(Traffic(20))
    world.follower.holds.set()
    case.write(Traffic(50))
    found = world.mesh.confirm(case.target, RELEASE, case.seq)
    assert (found.proven, found.level) == (False, Level.WRITTEN)
    assert "not applied yet" in found.missing[0]
    assert world.mesh.read(case.target).weight == 50, "git has it"
    world.follower.holds.clear()
    world.until(case.proven)


def test_a_revert_is_pushed_over_a_raise_that_was_never_applied(world: GitWorld) -> None:
    case = make_case(world)
    case.shift(ALL_STABLE)
    world.follower.holds.set()
    case.write(Traffic(50))
    case.write(ALL_STABLE)
    world.follower.holds.clear()
    world.until(case.proven)
    assert case.versions(40) == {"1.4.1"}


def test_nothing_of_ours_is_written_to_the_cluster_and_others_commits_stay(world: GitWorld) -> None:
    case = make_case(world)
    world.git.commit("a typo", {"README": "hello you\n"})
    case.shift(Traffic(20))
    text = world.git.read(f"{FOLDER}/checkout.yaml")
    assert text.startswith("# routes of checkout\n")
    assert world.git.read("README") == "hello you\n"
    kinds = {one["kind"] for one in world.git.objects(FOLDER)}
    assert kinds == {"VirtualService", "Service"}, "the lanes of the versions are files too"
    managers = {
        one["manager"]
        for name in world.testbed.api.get(f"/api/v1/namespaces/{world.namespace}/services")["items"]
        for one in name["metadata"].get("managedFields") or ()
    }
    assert "delivery" not in managers


def test_whoever_did_not_see_the_last_commit_writes_nothing(world: GitWorld) -> None:
    case = make_case(world)
    case.shift(Traffic(20))
    seen = world.other.read(case.target)
    case.write(Traffic(50))
    before = world.git.head()
    with pytest.raises(Conflict):
        world.other.write(case.route(Traffic(80)), case.stamp(), seen.revision)
    assert world.git.head() == before
