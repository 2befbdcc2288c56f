"""Traffic policies, faults and tokens as the plan tells them."""

from dataclasses import replace

from delivery.model.ids import SECOND, Micros
from delivery.model.policy import Balance, CircuitBreaker, Fault, Jwt, RateLimit, Retries, TrafficPolicy
from delivery.model.traffic import HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.wording.plan import step
from delivery.wording.policy import limits
from delivery.wording.traffic import describe
from delivery.wording.units import THIN
from tests.unit.wording.builders import PLAN

TEST = (Match(headers=(HeaderMatch("x-chaos", MatchKind.EXACT, "1"),)),)


def plain(sentence: str) -> str:
    return sentence.replace(THIN, " ")


def test_every_limit_is_told() -> None:
    policy = TrafficPolicy(
        timeout=Micros(2 * SECOND),
        retries=Retries(2, Micros(250_000)),
        circuit_breaker=CircuitBreaker(200, 5),
        rate_limit=RateLimit(1000, SECOND),
        load_balancing=Balance.LEAST_REQUEST,
    )
    assert plain(limits(policy)) == (
        "a timeout of 2s, 2 retries (250ms for each try), at most 200 requests at once, "
        "endpoints left out for 30s after 5 errors in a row, at most 1 000 requests per 1s and proxy "
        "and least request balancing"
    )
    assert limits(TrafficPolicy(retries=Retries(0))) == "no retries"
    assert limits(TrafficPolicy(retries=Retries(1))) == "1 retry"


def test_a_stage_tells_its_limits() -> None:
    stage = replace(PLAN.stages[0], gates=())
    limited = replace(stage, traffic=replace(stage.traffic, policy=TrafficPolicy(timeout=SECOND)))
    assert f": {describe(stage.traffic)}, with a timeout of 1s, " in step(limited, PLAN)


def test_faults_and_tokens_are_told_with_their_requests() -> None:
    faulty = Rule("fault_test", TEST, fault=Fault(Micros(300_000), 50, 503, 10))
    assert plain(describe(Traffic(rules=(faulty,)))) == (
        "test requests with header x-chaos that is 1 "
        "(50 % of them late by 300ms and 10 % of them answered 503 by the proxy)"
    )
    borne = Rule("preview", TEST, jwt=Jwt("https://id.example.org", "{}", ("delivery", "qa")))
    assert describe(Traffic(rules=(borne, Rule("beta", TEST)))) == (
        "requests with header x-chaos that is 1 and "
        "requests with header x-chaos that is 1 that bear a token of https://id.example.org for delivery or qa"
    )
