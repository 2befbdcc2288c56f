"""What every Workloads adapter has to do."""

from collections.abc import Callable
from typing import Protocol

import pytest

from delivery.model.ids import target_id
from delivery.model.service import Workload
from delivery.model.version import Endpoint, VersionRef
from delivery.ports.errors import Conflict, Unavailable
from delivery.ports.workloads import EVERYTHING, Need, Running, Workloads

TARGET = target_id("checkout", "local")
FIRST = VersionRef("1.4.1", "sha256:aaa", "registry/checkout@sha256:aaa")
SECOND = VersionRef("1.4.2", "sha256:bbb", "registry/checkout@sha256:bbb")
REBUILT = VersionRef("1.4.2", "sha256:ccc", "registry/checkout@sha256:ccc")


class World(Protocol):
    """Workloads with things to run; made afresh for every test."""

    workload: Workload
    broken: Workload  # ends at once, saying "no such database"

    @property
    def workloads(self) -> Workloads: ...

    @property
    def other(self) -> Workloads:
        """The same, as another worker has it."""

    def serve(self, version: VersionRef) -> Endpoint:
        """The version is stable: it runs, by whoever starts it here, and answers there."""

    def crash(self, version: VersionRef) -> None:
        """The version ends by itself."""

    def answers(self, endpoint: Endpoint) -> bool: ...

    def until(self, condition: Callable[[], bool]) -> None:
        """Returns when it holds; fails after a time that no healthy machine needs."""


class HomeWorld(World, Protocol):
    """Workloads whose owners keep one of their own."""

    def own(self, version: VersionRef) -> None:
        """The owners have their own workload run this version, and it does."""


class WorkloadsContract:
    """A subclass has a fixture `world`."""

    def test_looking_starts_nothing(self, world: World) -> None:
        for _ in range(3):
            found = world.workloads.look(TARGET, world.workload, FIRST)
            assert (found.ready, found.endpoints, found.failing) == (False, (), None)
            assert "1" in found.looked_for, "people are told what was looked for"

    def test_what_is_ensured_becomes_ready_and_answers(self, world: World) -> None:
        found = ready(world, FIRST)
        assert len(found.endpoints) == 1
        assert world.answers(found.endpoints[0])
        assert world.workloads.look(TARGET, world.workload, FIRST) == found

    def test_ensuring_again_starts_nothing_more(self, world: World) -> None:
        found = ready(world, FIRST)
        for workloads in (world.workloads, world.other):
            assert workloads.ensure(TARGET, world.workload, FIRST).endpoints == found.endpoints

    def test_another_worker_adopts_what_runs(self, world: World) -> None:
        found = ready(world, FIRST)
        assert world.other.look(TARGET, world.workload, FIRST).endpoints == found.endpoints
        world.until(lambda: retired(world.other, world, FIRST))
        assert not world.answers(found.endpoints[0])
        assert not world.workloads.look(TARGET, world.workload, FIRST).ready

    def test_versions_and_builds_of_one_label_run_side_by_side(self, world: World) -> None:
        found = [ready(world, version).endpoints[0] for version in (FIRST, SECOND, REBUILT)]
        assert len(set(found)) == 3
        assert all(world.answers(endpoint) for endpoint in found)
        world.until(lambda: retired(world.workloads, world, SECOND))
        assert [world.answers(endpoint) for endpoint in found] == [True, False, True]

    def test_one_that_ended_is_started_again(self, world: World) -> None:
        ready(world, FIRST)
        world.crash(FIRST)
        world.until(lambda: not world.workloads.look(TARGET, world.workload, FIRST).ready)
        assert world.answers(ready(world, FIRST).endpoints[0])

    def test_one_that_cannot_run_says_why(self, world: World) -> None:
        world.until(lambda: world.workloads.ensure(TARGET, world.broken, FIRST).failing is not None)
        found = world.workloads.ensure(TARGET, world.broken, FIRST)
        assert not found.ready
        assert "no such database" in (found.failing or "")

    def test_retiring_is_final_and_harmless_to_repeat(self, world: World) -> None:
        world.workloads.retire(TARGET, world.workload, FIRST)
        endpoint = ready(world, FIRST).endpoints[0]
        world.until(lambda: retired(world.workloads, world, FIRST))
        assert not world.answers(endpoint)
        world.workloads.retire(TARGET, world.workload, FIRST)
        assert not world.workloads.look(TARGET, world.workload, FIRST).ready

    def test_a_copy_of_stable_runs_beside_it_and_goes_alone(self, world: World) -> None:
        stable = world.serve(FIRST)
        copy, another = (FIRST.copy_for(release) for release in ("rel_1", "rel_2"))
        found = [ready(world, version, Need(by="rel_1")).endpoints[0] for version in (copy, another, SECOND)]
        assert len({stable, *found}) == 4, "of each release its own"
        assert all(world.answers(endpoint) for endpoint in (stable, *found))
        assert world.other.look(TARGET, world.workload, copy).endpoints == (found[0],)
        world.until(lambda: retired(world.workloads, world, copy))
        assert [world.answers(endpoint) for endpoint in (stable, *found)] == [True, False, True, True]
        assert not world.workloads.look(TARGET, world.workload, copy).ready

    def test_a_copy_that_died_is_started_again_and_stable_is_not_asked_for(self, world: World) -> None:
        stable = world.serve(FIRST)
        copy = FIRST.copy_for("rel_1")
        ready(world, copy)
        world.crash(copy)
        world.until(lambda: not world.workloads.look(TARGET, world.workload, copy).ready)
        assert not world.workloads.look(TARGET, world.workload, copy).answers
        assert world.answers(stable)
        assert world.answers(ready(world, copy).endpoints[0])

    def test_whoever_lost_the_target_retires_nothing(self, world: World) -> None:
        endpoint = ready(world, FIRST).endpoints[0]
        with pytest.raises(Conflict):
            world.workloads.retire(TARGET, world.workload, FIRST, lambda: False)
        assert world.answers(endpoint)
        again = ready(world, FIRST, Need(by="rel_2"))
        assert again.endpoints == (endpoint,), "for another release it is as it was"

    def test_one_that_was_retired_can_be_had_again(self, world: World) -> None:
        ready(world, FIRST)
        world.until(lambda: retired(world.workloads, world, FIRST))
        assert world.answers(ready(world, FIRST).endpoints[0])

    def test_any_share_can_be_had(self, world: World) -> None:
        for share in (1, 50, 100):
            assert world.answers(ready(world, FIRST, Need(share=share)).endpoints[0])

    def test_letting_go_of_what_was_never_kept_is_harmless(self, world: World) -> None:
        world.workloads.rest(TARGET, world.workload)
        assert world.answers(ready(world, FIRST).endpoints[0])
        world.workloads.rest(TARGET, world.workload)
        assert world.workloads.look(TARGET, world.workload, FIRST).ready


class HomeContract(WorkloadsContract):
    """Of adapters that can say what the owners' own workload runs. The fixture `world` is a HomeWorld."""

    def test_what_the_owners_run_is_known(self, world: HomeWorld) -> None:
        for version in (FIRST, SECOND):
            world.own(version)
            found = world.workloads.current(TARGET, world.workload)
            assert found is not None
            assert (found.identity, found.image) == (version.identity, version.image)

    def test_home_is_ready_only_with_this_very_version(self, world: HomeWorld) -> None:
        world.own(FIRST)
        found = world.workloads.look(TARGET, world.workload, FIRST, home=True)
        assert found.ready
        assert world.answers(found.endpoints[0])
        assert world.workloads.ensure(TARGET, world.workload, FIRST, Need(home=True)) == found
        other = world.workloads.ensure(TARGET, world.workload, SECOND, Need(home=True))
        assert (other.ready, other.endpoints, other.failing) == (False, (), None)
        assert "1.4.1" in other.looked_for, "people are told what is there"
        assert "1.4.2" in other.looked_for, "and what should be"
        current = world.workloads.current(TARGET, world.workload)
        assert current is not None
        assert current.identity == FIRST.identity, "looking at home changes nothing there"

    def test_a_copy_comes_and_goes_beside_home(self, world: HomeWorld) -> None:
        world.own(FIRST)
        home = world.workloads.look(TARGET, world.workload, FIRST, home=True).endpoints[0]
        copies = [ready(world, version).endpoints[0] for version in (SECOND, FIRST)]
        assert len({home, *copies}) == 3
        world.until(lambda: all(retired(world.workloads, world, version) for version in (SECOND, FIRST)))
        assert [world.answers(endpoint) for endpoint in (home, *copies)] == [True, False, False]

    def test_what_is_promoted_runs_at_home(self, world: HomeWorld) -> None:
        world.own(FIRST)
        for version, old in ((SECOND, FIRST), (FIRST, SECOND)):
            found = promoted(world, version)
            assert world.answers(found.endpoints[0])
            assert world.workloads.look(TARGET, world.workload, version, home=True).ready
            assert not world.workloads.look(TARGET, world.workload, old, home=True).ready
            current = world.workloads.current(TARGET, world.workload)
            assert current is not None
            assert current.identity == version.identity
            assert world.other.promote(TARGET, world.workload, version) == found, "repeating it changes nothing"

    def test_whoever_lost_the_target_promotes_nothing(self, world: HomeWorld) -> None:
        world.own(FIRST)
        with pytest.raises(Conflict):
            world.workloads.promote(TARGET, world.workload, SECOND, lambda: False)
        current = world.workloads.current(TARGET, world.workload)
        assert current is not None
        assert current.identity == FIRST.identity
        assert world.workloads.look(TARGET, world.workload, FIRST, home=True).ready

    def test_what_was_decided_before_changes_nothing_however_late_it_comes(self, world: HomeWorld) -> None:
        """A promotion is about to write when the way back was decided, for which nothing has to change at home."""
        world.own(FIRST)
        owned = [True]

        def taken_over() -> bool:
            found = owned.pop() if owned else False
            world.other.promote(TARGET, world.workload, FIRST, token="release/back")
            return found

        with pytest.raises(Conflict):
            world.workloads.promote(TARGET, world.workload, SECOND, taken_over, token="release/home")
        current = world.workloads.current(TARGET, world.workload)
        assert current is not None
        assert current.identity == FIRST.identity

    def test_home_is_left_as_it_was_found(self, world: HomeWorld) -> None:
        world.own(FIRST)
        world.workloads.ensure(TARGET, world.workload, FIRST, Need(home=True))
        world.workloads.rest(TARGET, world.workload)
        assert world.workloads.look(TARGET, world.workload, FIRST, home=True).ready


def promoted(world: HomeWorld, version: VersionRef) -> Running:
    """Promotes the version until home runs it."""
    seen: list[Running] = []

    def found() -> bool:
        seen.append(world.workloads.promote(TARGET, world.workload, version))
        assert seen[-1].failing is None, seen[-1].failing
        return seen[-1].ready

    world.until(found)
    return seen[-1]


def ready(world: World, version: VersionRef, need: Need = EVERYTHING) -> Running:
    """Ensures the version until it is ready. Fails at once where it says that waiting will not help."""
    seen: list[Running] = []

    def found() -> bool:
        seen.append(world.workloads.ensure(TARGET, world.workload, version, need))
        assert seen[-1].failing is None, seen[-1].failing
        return seen[-1].ready

    world.until(found)
    return seen[-1]


def retired(workloads: Workloads, world: World, version: VersionRef) -> bool:
    """Whether it is gone; Unavailable means that it still ends its requests."""
    try:
        workloads.retire(TARGET, world.workload, version)
    except Unavailable:
        return False
    return True
