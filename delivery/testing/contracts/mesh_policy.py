"""What rules may do besides choosing (tokens, faults), and limits on the candidate alone, counted over requests.

`RuleContract` is for every mesh, `LimitContract` for those whose proxies serve real requests.
"""

from collections import Counter
from statistics import median
from typing import Protocol

import pytest

from delivery.adapters.mesh.answer import Request
from delivery.model.ids import HOUR, MINUTE, Micros
from delivery.model.policy import CircuitBreaker, Fault, RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import ALL_STABLE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.model.version import Backend
from delivery.ports.errors import Refused
from delivery.testing.contracts import tokens
from delivery.testing.contracts.mesh_traffic import CANDIDATE, STABLE, assert_share
from delivery.testing.contracts.mesh_values import Case, Reply, World, make_case

TESTED = (Match(headers=(HeaderMatch("x-test", MatchKind.EXACT, "1"),)),)
LONG_MS = 400


class PolicyWorld(World, Protocol):
    """Versions that behave as they are told."""

    def slow(self, backend: Backend, milliseconds: int) -> None:
        """From now on it takes so long to answer."""

    def fail(self, backend: Backend, status: int) -> None:
        """From now on it answers nothing but this status."""


def matched(case: Case, token: str = "") -> Request:
    """A request that meets `TESTED`."""
    headers = {"x-test": "1"} | ({"authorization": f"Bearer {token}"} if token else {})
    return Request(case.service, headers=headers)


class RuleContract:
    """A subclass has a fixture `world`."""

    @pytest.mark.parametrize("token", ["", "OTHER_ISSUER", "OTHER_AUDIENCE", "a.b.c"])
    def test_a_preview_is_refused_without_its_token(self, world: World, token: str) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),)))
        replies = case.send(5, matched(case, getattr(tokens, token, token)))
        assert {reply.status for reply in replies} <= {401, 403}
        assert {reply.version for reply in replies} == {None}
        assert world.asked(case.candidate).users == world.asked(case.stable).users == ()

    def test_a_preview_is_open_to_its_token_and_all_else_stays(self, world: World) -> None:
        case, other = make_case(world), make_case(world, "billing")
        other.shift(ALL_STABLE)
        case.shift(Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),)))
        world.until(lambda: case.versions(1, matched(case, tokens.GOOD)) == {CANDIDATE})
        assert case.versions(20, matched(case, tokens.GOOD)) == {CANDIDATE}
        assert case.versions(20) == {STABLE}
        assert other.versions(5, matched(other)) == {STABLE}
        case.shift(ALL_STABLE)
        assert case.versions(5, matched(case)) == {STABLE}

    def test_faults_meet_only_the_requests_that_they_are_for(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=50, rules=(Rule("fault", TESTED, fault=Fault(abort=503)),)))
        aborted = case.send(50, matched(case))
        assert Counter((reply.status, reply.version) for reply in aborted) == {(503, None): 50}
        assert world.asked(case.candidate).users == ()
        assert {reply.status for reply in case.send(100)} == {200}

    def test_a_fault_has_its_share(self, world: World) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("fault", TESTED, fault=Fault(abort=500, abort_percent=30)),)))
        assert_share(0.3, lambda size: sum(reply.status == 500 for reply in case.send(size, matched(case))), 500)
        assert {reply.version for reply in case.send(50, matched(case))} <= {CANDIDATE, None}

    def test_limits_change_nothing_of_who_answers(self, world: World) -> None:
        case = make_case(world)
        policy = TrafficPolicy(
            timeout=Micros(5_000_000), retries=Retries(1), circuit_breaker=CircuitBreaker(500, 50, Micros(30_000_000))
        )
        case.shift(Traffic(weight=20, rules=(Rule("beta", TESTED),), policy=policy))
        assert case.versions(50, matched(case)) == {CANDIDATE}
        assert_share(0.2, lambda size: Counter(reply.version for reply in case.send(size))[CANDIDATE])
        assert world.mesh.read(case.target).weight == 20


class LimitContract:
    """A subclass has a fixture `world`: a PolicyWorld."""

    def test_a_rate_limit_turns_away_what_is_too_much_for_the_candidate_alone(self, world: PolicyWorld) -> None:
        """One bucket for all routes to it: the rule's requests and the split's come out of the same."""
        case = make_case(world)
        limit = TrafficPolicy(rate_limit=RateLimit(30, HOUR))
        case.shift(Traffic(weight=50, rules=(Rule("beta", TESTED),), policy=limit))
        first = _counted(case.send(10, matched(case)))
        rest = _counted(case.send(300))
        assert first == {(200, CANDIDATE): 10}
        assert rest[200, CANDIDATE] == 20
        assert rest[200, STABLE] + rest[429, None] == 280
        assert 100 < rest[200, STABLE] < 200, "half of 300 drew stable, and none of them was turned away"
        assert len(world.asked(case.candidate).users) == 30
        case.shift(Traffic(weight=50))
        assert _counted(case.send(100))[429, None] == 0

    def test_a_timeout_ends_the_candidates_requests(self, world: PolicyWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("beta", TESTED),), policy=TrafficPolicy(timeout=Micros(100_000))))
        for backend in (case.stable, case.candidate):
            world.slow(backend, LONG_MS)
        ended = case.send(10, matched(case))
        assert _counted(ended) == {(504, None): 10}
        assert median(reply.seconds for reply in ended) < LONG_MS / 1000, "one may be late on a busy machine"
        assert _counted(case.send(10)) == {(200, STABLE): 10}

    def test_retries_are_counted_at_the_backend(self, world: PolicyWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("beta", TESTED),), policy=TrafficPolicy(retries=Retries(2))))
        for backend in (case.stable, case.candidate):
            world.fail(backend, 502)
        assert {reply.status for reply in case.send(20, matched(case))} == {502}
        assert len(world.asked(case.candidate).users) == 60
        case.send(20)
        assert len(world.asked(case.stable).users) == 20, "stable's errors are tried no more often than before"

    def test_no_retries_are_none(self, world: PolicyWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("beta", TESTED),), policy=TrafficPolicy(retries=Retries(0))))
        world.fail(case.candidate, 502)
        case.send(10, matched(case))
        assert len(world.asked(case.candidate).users) == 10

    def test_a_breaker_opens_for_the_candidate_alone(self, world: PolicyWorld) -> None:
        case = make_case(world)
        breaker = CircuitBreaker(consecutive_5xx=5, ejection=MINUTE)
        case.shift(Traffic(weight=50, rules=(Rule("beta", TESTED),), policy=TrafficPolicy(circuit_breaker=breaker)))
        for backend in (case.stable, case.candidate):
            world.fail(backend, 500)
        # At once, or after a second: Envoy puts changes of a cluster's endpoints together.
        world.until(lambda: case.send(1, matched(case))[0].status == 503)
        opened_after = len(world.asked(case.candidate).users)
        assert opened_after >= 5
        assert _counted(case.send(20, matched(case))) == {(503, None): 20}
        assert _counted(case.send(60))[500, STABLE] > 10, "stable is asked, however it answers"
        assert len(world.asked(case.candidate).users) == opened_after

    def test_a_breaker_bounds_what_the_candidate_gets_at_once(self, world: PolicyWorld) -> None:
        case = make_case(world)
        breaker = TrafficPolicy(circuit_breaker=CircuitBreaker(max_requests=3))
        case.shift(Traffic(rules=(Rule("beta", TESTED),), policy=breaker))
        for backend in (case.stable, case.candidate):
            world.slow(backend, LONG_MS)
        found = _counted(case.send(30, matched(case)))
        assert 3 <= found[200, CANDIDATE] <= 6
        assert found[503, None] == 30 - found[200, CANDIDATE]
        assert _counted(case.send(20)) == {(200, STABLE): 20}

    def test_a_delay_meets_only_the_requests_that_it_is_for(self, world: PolicyWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("fault", TESTED, fault=Fault(delay=Micros(1000 * LONG_MS))),)))
        late = case.send(5, matched(case))
        assert {reply.version for reply in late} == {CANDIDATE}
        assert min(reply.seconds for reply in late) >= 0.99 * LONG_MS / 1000, "a timer may fire a millisecond early"
        assert median(reply.seconds for reply in case.send(20)) < LONG_MS / 1000

    def test_a_token_that_another_key_signed_is_refused(self, world: PolicyWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(rules=(Rule("preview", TESTED, jwt=tokens.JWT),)))
        world.until(lambda: case.versions(1, matched(case, tokens.GOOD)) == {CANDIDATE})
        assert {reply.status for reply in case.send(5, matched(case, tokens.FORGED))} <= {401, 403}

    def test_a_policy_ends_with_the_promotion(self, world: PolicyWorld) -> None:
        case = make_case(world)
        policy = TrafficPolicy(timeout=Micros(100_000), circuit_breaker=CircuitBreaker(max_requests=1))
        case.shift(Traffic(weight=50, policy=policy))
        world.slow(case.candidate, LONG_MS)
        case.shift(Traffic(weight=100))
        assert _counted(case.send(20)) == {(200, CANDIDATE): 20}

    def test_a_policy_that_a_proxy_would_not_take_leaves_all_as_it_was(self, world: PolicyWorld) -> None:
        case = make_case(world)
        case.shift(Traffic(weight=50))
        before = world.mesh.read(case.target)
        broken = Match(headers=(HeaderMatch("x-beta", MatchKind.REGEX, "(unclosed"),))
        policy = TrafficPolicy(circuit_breaker=CircuitBreaker(max_requests=1), rate_limit=RateLimit(1, HOUR))
        with pytest.raises(Refused):
            case.write(Traffic(weight=50, rules=(Rule("beta", (broken,)),), policy=policy))
        assert world.mesh.read(case.target) == before
        assert {reply.status for reply in case.send(60)} == {200}


def _counted(replies: list[Reply]) -> Counter[tuple[int, str | None]]:
    return Counter((reply.status, reply.version) for reply in replies)
