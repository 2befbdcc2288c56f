"""Who answers, counted over requests: splits, rules, mirrors, users who stay, and switches that nobody notices."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from delivery.adapters.mesh.answer import Request
from delivery.model.traffic import (
    ALL_CANDIDATE,
    ALL_STABLE,
    CookieMatch,
    HeaderMatch,
    Match,
    MatchKind,
    Mirror,
    Rule,
    Sticky,
    Traffic,
)
from delivery.testing.contracts.mesh_values import Case, World, make_case, make_compared

STABLE, CANDIDATE = "1.4.1", "1.4.2"
SIGMAS = 3.0
STILL = 10  # looks


def assert_share(share: float, sample: Callable[[int], int], count: int = 1000) -> None:
    """Within three standard deviations; one of 370 right samples misses that, so a larger second one decides."""
    found = 0
    for size in (count, 3 * count):
        found = sample(size)
        if abs(found - share * size) <= SIGMAS * math.sqrt(size * share * (1 - share)):
            return
    raise AssertionError(f"{found} of {3 * count} for a share of {share:g}")


class TrafficContract:
    """A subclass has a fixture `world`."""

    @pytest.mark.parametrize("weight", [1, 20, 50])
    def test_a_split_is_what_it_says(self, world: World, weight: int) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=weight))
        assert_share(weight / 100, lambda size: _answers(case, size)[CANDIDATE])

    def test_nothing_and_everything_are_exact(self, world: World) -> None:
        case = make_case(world)
        for traffic, version in ((ALL_STABLE, STABLE), (ALL_CANDIDATE, CANDIDATE), (ALL_STABLE, STABLE)):
            case.shift(traffic)
            assert _answers(case, 300) == {version: 300}

    def test_services_do_not_mix(self, world: World) -> None:
        ours, theirs = make_case(world), make_case(world, "billing")
        ours.shift(ALL_STABLE)
        theirs.shift(ALL_CANDIDATE)
        assert (ours.versions(), theirs.versions()) == ({STABLE}, {CANDIDATE})
        unknown = world.send([Request("unknown")])[0]
        assert unknown.version is None

    def test_the_first_version_of_a_service(self, world: World) -> None:
        case = make_case(world)
        first = replace(case.route(ALL_STABLE), stable=None)
        world.mesh.write(first, case.stamp(), world.mesh.read(case.target).revision)
        world.until(case.proven)
        assert [(reply.status, reply.version) for reply in case.send(3)] == [(503, None)] * 3
        case.seq += 1
        route = replace(first, traffic=ALL_CANDIDATE)
        world.mesh.write(route, case.stamp(), world.mesh.read(case.target).revision)
        world.until(case.proven)
        assert case.versions() == {CANDIDATE}

    @pytest.mark.parametrize(
        ("kind", "value", "met", "missed"),
        [
            (MatchKind.EXACT, "true", ["true"], ["True", "truer", ""]),
            (MatchKind.PREFIX, "be", ["be", "beta"], ["abe", "b"]),
            (MatchKind.REGEX, "v[0-9]+", ["v1", "v22"], ["v", "xv1", "v1x"]),
        ],
    )
    def test_rules_by_header(
        self, world: World, kind: MatchKind, value: str, met: list[str], missed: list[str]
    ) -> None:
        case = make_case(world)
        _rule(case, Match(headers=(HeaderMatch("X-Beta", kind, value),)))
        for text in met:
            assert case.versions(5, Request(case.service, headers={"x-beta": text})) == {CANDIDATE}, text
        for text in missed:
            assert case.versions(5, Request(case.service, headers={"x-beta": text})) == {STABLE}, text
        assert case.versions(5) == {STABLE}

    def test_rules_by_cookie(self, world: World) -> None:
        case = make_case(world)
        _rule(case, Match(cookies=(CookieMatch("group", "b"),)))
        for cookies, version in (
            ({"group": "b"}, CANDIDATE),
            ({"first": "1", "group": "b", "last": "2"}, CANDIDATE),
            ({"group": "bb"}, STABLE),
            ({"xgroup": "b"}, STABLE),
            ({"first": "group=b"}, STABLE),
            ({}, STABLE),
        ):
            assert case.versions(5, Request(case.service, cookies=cookies)) == {version}, cookies

    @pytest.mark.parametrize("path", ["/beta", "/beta/"])
    def test_rules_by_path_take_whole_segments(self, world: World, path: str) -> None:
        case = make_case(world)
        _rule(case, Match(path=path))
        for asked, version in (
            ("/beta", CANDIDATE),
            ("/beta/x", CANDIDATE),
            ("/beta?q=1", CANDIDATE),
            ("/betax", STABLE),
            ("/a/beta", STABLE),
            ("/", STABLE),
        ):
            assert case.versions(5, Request(case.service, asked)) == {version}, asked

    def test_all_conditions_of_a_match_must_hold_and_any_match_of_a_rule(self, world: World) -> None:
        case = make_case(world)
        header = HeaderMatch("x-beta", MatchKind.EXACT, "on")
        _rule(case, Match(headers=(header,), path="/new"), Match(cookies=(CookieMatch("staff", "1"),)))
        for request, version in (
            (Request(case.service, "/new", headers={"x-beta": "on"}), CANDIDATE),
            (Request(case.service, "/old", headers={"x-beta": "on"}), STABLE),
            (Request(case.service, "/new"), STABLE),
            (Request(case.service, "/old", cookies={"staff": "1"}), CANDIDATE),
        ):
            assert case.versions(5, request) == {version}, request

    def test_rules_come_before_the_split(self, world: World) -> None:
        case = make_case(world)
        beta = Rule("beta", (Match(headers=(HeaderMatch("x-beta", MatchKind.EXACT, "on"),)),))
        case.shift(Traffic(weight=20, rules=(beta,)))
        assert case.versions(100, Request(case.service, headers={"x-beta": "on"})) == {CANDIDATE}
        assert_share(0.2, lambda size: _answers(case, size)[CANDIDATE])

    def test_a_copy_of_stable_has_the_share_that_it_says(self, world: World) -> None:
        case = make_compared(world)
        case.shift(Traffic(weight=20, baseline=30))
        assert_share(0.2, lambda size: _answers(case, size)[CANDIDATE])
        assert_share(0.3, lambda size: _of_the_copy(case, size))

    def test_rules_go_past_the_copy(self, world: World) -> None:
        case = make_compared(world)
        beta = Rule("beta", (Match(headers=(HeaderMatch("x-beta", MatchKind.EXACT, "on"),)),))
        case.shift(Traffic(weight=1, rules=(beta,), baseline=50))
        assert case.versions(100, Request(case.service, headers={"x-beta": "on"})) == {CANDIDATE}
        assert_share(0.5, lambda size: _of_the_copy(case, size))

    def test_one_write_takes_everybody_from_candidate_and_copy_even_if_both_are_gone(self, world: World) -> None:
        case = make_compared(world)
        assert case.copy is not None
        case.shift(Traffic(weight=40, baseline=40))
        world.end(case.copy)
        world.end(case.candidate)
        case.shift(ALL_STABLE)
        assert _answers(case, 200) == {STABLE: 200}

    def test_copies_reach_the_candidate_and_no_client(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(mirror=Mirror(100)))
        assert _answers(case, 200) == {STABLE: 200}
        world.until(lambda: len(world.asked(case.candidate).copies) == 200)
        assert world.asked(case.candidate).users == ()
        assert world.asked(case.stable).copies == ()
        case.shift(ALL_STABLE)
        case.send(50)
        assert len(world.asked(case.candidate).copies) == 200

    def test_a_mirror_copies_the_share_it_says(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(mirror=Mirror(30)))

        def copies(size: int) -> int:
            before = len(world.asked(case.candidate).copies)
            case.send(size)
            settled = _settled(world, lambda: len(world.asked(case.candidate).copies))
            return settled - before

        assert_share(0.3, copies, 600)

    def test_a_mirror_of_some_methods_copies_only_those(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(mirror=Mirror(100, methods=("GET", "HEAD"))))
        for method in ("GET", "POST", "HEAD", "DELETE"):
            assert case.versions(10, Request(case.service, method=method)) == {STABLE}
        world.until(lambda: len(world.asked(case.candidate).copies) == 20)
        assert Counter(world.asked(case.candidate).copies) == {"GET": 10, "HEAD": 10}
        assert len(world.asked(case.stable).users) == 40

    def test_a_dead_shadow_is_not_felt(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(mirror=Mirror(100)))
        world.end(case.candidate)
        assert [reply.status for reply in case.send(50)] == [200] * 50

    def test_users_stay_and_their_share_is_the_weight(self, world: World) -> None:
        """Counted by user after several requests each: stable's users must not be drawn again at every request."""
        case, users = make_case(world), _Users("checkout", 400)
        draws: tuple[int, ...] = ()
        on_candidate: set[int] = set()
        for weight in (5, 25, 50):
            case.shift(Traffic(weight=weight, sticky=Sticky("rel", draws)))
            first = users.ask(case)
            assert on_candidate <= first, f"users left the candidate at {weight} %"
            for _ in range(5):
                assert users.ask(case) == first, f"users moved within the stage at {weight} %"
            _assert_users(weight, len(first), len(users.jars))
            on_candidate, draws = first, (*draws, weight)

    def test_a_cookie_of_another_release_means_nothing(self, world: World) -> None:
        case, users = make_case(world), _Users("checkout", 300)
        case.shift(Traffic(weight=50, sticky=Sticky("rel")))
        before = users.ask(case)
        case.tag = "77"
        case.shift(Traffic(weight=50, sticky=Sticky("rel")))
        after = users.ask(case)
        _assert_users(25, len(before & after), len(users.jars))

    def test_a_rollback_takes_everybody_back_and_their_cookies(self, world: World) -> None:
        case, users = make_case(world), _Users("checkout", 60)
        case.shift(Traffic(weight=50, sticky=Sticky("rel")))
        assert users.ask(case)
        case.shift(Traffic(weight=0, sticky=Sticky("rel", (50,))))
        assert users.ask(case) == set()
        assert all("rel" not in jar for jar in users.jars)

    def test_a_rollback_ends_stickiness_whatever_cookies_say(self, world: World) -> None:
        case, users = make_case(world), _Users("checkout", 60)
        case.shift(Traffic(weight=50, sticky=Sticky("rel")))
        assert users.ask(case)
        case.shift(ALL_STABLE)
        assert users.ask(case) == set()

    def test_no_request_fails_by_a_switch(self, world: World) -> None:
        case = make_case(world)
        case.shift(ALL_STABLE)
        with world.load(case.service) as load:
            for traffic in 3 * (Traffic(weight=50), ALL_CANDIDATE, Traffic(weight=5), Traffic(mirror=Mirror(50))):
                case.shift(traffic)
                load.wait(20)
            case.shift(ALL_STABLE)
            world.mesh.withdraw(case.target, case.candidate)
            load.wait(50)
        assert load.failed == {}

    def test_no_request_fails_when_a_copy_comes_and_goes(self, world: World) -> None:
        case = make_compared(world)
        assert case.copy is not None
        case.shift(ALL_STABLE)
        with world.load(case.service) as load:
            for traffic in (Traffic(weight=10, baseline=10), Traffic(weight=40, baseline=30), Traffic(weight=60)):
                case.shift(traffic)
                load.wait(20)
            world.mesh.withdraw(case.target, case.copy)
            load.wait(50)
        assert load.failed == {}

    def test_after_the_proof_nobody_gets_the_old_rule(self, world: World) -> None:
        case = make_case(world)
        for _ in range(10):
            for traffic, version in ((ALL_CANDIDATE, CANDIDATE), (ALL_STABLE, STABLE)):
                case.shift(traffic)
                assert case.versions(10) == {version}


class _Users:
    """People with cookie jars, asking one request each at a time."""

    def __init__(self, service: str, count: int) -> None:
        self.service = service
        self.jars: list[dict[str, str]] = [{"id": str(number)} for number in range(count)]

    def ask(self, case: Case) -> set[int]:
        """Those whom the candidate answered."""
        replies = case.world.send([Request(self.service, cookies=dict(jar)) for jar in self.jars])
        for jar, reply in zip(self.jars, replies, strict=True):
            for name, value in reply.cookies.items():
                jar.pop(name, None)
                if value is not None:
                    jar[name] = value
        assert {reply.version for reply in replies} <= {STABLE, CANDIDATE}
        return {number for number, reply in enumerate(replies) if reply.version == CANDIDATE}


def _assert_users(percent: int, found: int, users: int) -> None:
    """Within four standard deviations: users draw once, so there is no second sample."""
    share = percent / 100
    assert abs(found - share * users) <= 4 * math.sqrt(users * share * (1 - share)), (
        f"{found} of {users} at {percent} %"
    )


def _answers(case: Case, size: int) -> Counter[str | None]:
    return Counter(reply.version for reply in case.send(size))


def _of_the_copy(case: Case, size: int) -> int:
    """How many of so many requests the copy of stable answered."""
    assert case.copy is not None
    before = len(case.world.asked(case.copy).users)
    case.send(size)
    return len(case.world.asked(case.copy).users) - before


def _rule(case: Case, *matches: Match) -> None:
    case.shift(Traffic(rules=(Rule("r", matches),)))


def _settled(world: World, count: Callable[[], int]) -> int:
    """A count that grows after the fact, once it has stopped growing: a mirror is not waited for by the proxy."""
    seen: list[int] = []

    def still() -> bool:
        seen.append(count())
        return len(seen) > STILL and len(set(seen[-STILL:])) == 1

    world.until(still)
    return seen[-1]
