"""Traffic policies, faults and tokens: from a service file to the stages of a plan."""

import json
from collections.abc import Mapping

import pytest

from delivery.model.codec import from_plain, to_plain
from delivery.model.fields import Fields
from delivery.model.ids import SECOND, Micros
from delivery.model.mistake import Invalid
from delivery.model.plan import Plan, Then
from delivery.model.policy import Balance, CircuitBreaker, Fault, Jwt, RateLimit, Retries, TrafficPolicy
from delivery.model.policy_section import read_policy
from delivery.model.traffic import ALL_STABLE, HeaderMatch, Match, MatchKind, Mirror, Rule, Traffic, raises
from delivery.strategies import blue_green, canary, dark_launch, fault_test
from delivery.strategies.blue_green import PREVIEW
from delivery.strategies.plan import compile_plan
from tests.unit.strategies.test_parse import mistakes, read
from tests.unit.strategies.test_plan import AB, DARK, FAULTS, MATCH, plan, refused, service

LIMITED = TrafficPolicy(rate_limit=RateLimit(100, SECOND))
SLOW = TrafficPolicy(timeout=Micros(2 * SECOND))
LIMIT = {"rate_limit": {"requests": 100, "per": "1s"}}
KEY = {"kty": "EC", "crv": "P-256", "kid": "1", "x": "eHg", "y": "eXk"}
JWT = {"issuer": "https://id.example.org", "jwks": {"keys": [KEY]}, "audiences": ["delivery"]}


def test_everything_that_a_policy_can_say() -> None:
    section = {
        "timeout": "2s",
        "retries": {"attempts": 1, "per_try_timeout": "500ms"},
        "circuit_breaker": {"max_requests": 200, "consecutive_5xx": 5, "ejection": "10s"},
        "rate_limit": {"requests": 100, "per": "1s"},
        "load_balancing": "least_request",
    }
    assert read_policy(Fields(section)) == TrafficPolicy(
        timeout=Micros(2 * SECOND),
        retries=Retries(1, Micros(500_000)),
        circuit_breaker=CircuitBreaker(200, 5, Micros(10 * SECOND)),
        rate_limit=RateLimit(100, SECOND),
        load_balancing=Balance.LEAST_REQUEST,
    )
    assert read_policy(Fields({})) is None


def test_a_stored_plan_keeps_every_limit() -> None:
    limited = {**LIMIT, "timeout": "2s", "retries": {"attempts": 1}, "circuit_breaker": {"max_requests": 9}}
    made = plan(
        FAULTS, {"canary": {"steps": ["5%"], "traffic_policy": limited}}, {"blue_green": {"preview": {"jwt": JWT}}}
    )
    assert from_plain(Plan, to_plain(made)) == made


def test_a_stage_without_limits_is_stored_as_before() -> None:
    (stage,) = to_plain(plan({"canary": {"steps": ["5%"]}}))["stages"]
    assert stage["traffic"] == {"weight": 5, "rules": []}


def test_a_service_wide_policy_is_on_every_stage_that_users_reach() -> None:
    base = service(DARK, AB, {"canary": {"steps": ["5%", "50%"]}})
    fields = {name: getattr(base, name) for name in base.__slots__}
    made = compile_plan(type(base)(**{**fields, "traffic_policy": SLOW}))
    assert [stage.traffic.policy for stage in made.stages] == [None, SLOW, SLOW, SLOW]
    assert made.stages[0].traffic == Traffic(mirror=Mirror(10, ("GET", "HEAD")))


def test_a_strategys_own_policy_takes_the_place_of_the_services() -> None:
    wide = {"canary": {"steps": ["5%", "50%"], "traffic_policy": LIMIT}}
    assert [stage.traffic.policy for stage in plan(wide).stages] == [LIMITED, LIMITED]
    each = {"canary": {"steps": ["5%", "50%"], "traffic_policy": [LIMIT, {"timeout": "2s"}]}}
    assert [stage.traffic.policy for stage in plan(each).stages] == [LIMITED, SLOW]
    both = {"blue_green": {"traffic_policy": [LIMIT, {}]}}
    assert [stage.traffic.policy for stage in plan(both).stages] == [LIMITED, None]


def test_a_policy_for_each_stage_has_to_be_that_many() -> None:
    said = mistakes(canary.parse, {"steps": ["5%"], "traffic_policy": [LIMIT, LIMIT]})
    assert said == [
        "traffic_policy has 2 policies for 1 stages; expected one mapping, or a list with one for each stage"
    ]
    assert mistakes(canary.parse, {"traffic_policy": [{"timeout": 1}, {}, {}]}) == [
        "traffic_policy[0].timeout is 1; expected a duration such as 90s or 1h30m, from 10ms to 1h"
    ]


def test_copies_have_no_policy() -> None:
    said = mistakes(dark_launch.parse, {"mirror": "5%", "traffic_policy": LIMIT})
    assert said == ["traffic_policy limits what users' requests get, and these are copies: take it out"]


def test_a_rate_limit_at_100_percent_is_refused() -> None:
    said = refused({"blue_green": {"gates": ["objective"], "traffic_policy": LIMIT}})
    assert said.startswith("strategies[0].blue_green has a stage at 100%, blue_green switch, in which rate_limit would")
    assert plan({"blue_green": {"traffic_policy": {"timeout": "2s"}}}).stages[1].traffic.policy == SLOW


def test_less_of_a_limit_is_a_raise_and_more_of_it_is_none() -> None:
    limited, free = Traffic(weight=5, policy=LIMITED), Traffic(weight=5)
    assert raises(limited, free)
    assert raises(limited, Traffic(weight=5, policy=SLOW))
    assert not raises(free, limited)
    assert not raises(limited, limited)
    assert not raises(limited, ALL_STABLE)


def test_a_fault_test_is_for_its_own_stage_and_first_in_line() -> None:
    match = Match(headers=(HeaderMatch("x-beta", MatchKind.EXACT, "true"),))
    made = plan(AB, FAULTS, {"canary": {"steps": ["5%"]}})
    tested = Rule("fault_test", (match,), fault=Fault(abort=503))
    assert [stage.traffic.rules for stage in made.stages] == [
        (Rule("ab_test", (match,)),),
        (tested, Rule("ab_test", (match,))),
        (Rule("ab_test", (match,)),),
    ]
    assert (made.stages[1].gates, made.stages[1].min_requests) == ((), 0)
    assert plan(FAULTS).then is Then.ASK


def test_faults_have_their_shares() -> None:
    section = {
        "match": MATCH,
        "delay": {"time": "300ms", "percent": "50%"},
        "abort": {"status": 503, "percent": "10%"},
        "gates": ["errors"],
    }
    (stage,) = plan({"fault_test": section}).stages
    assert stage.traffic.rules[0].fault == Fault(Micros(300_000), 50, 503, 10)
    assert stage.gates == ("errors",)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"match": MATCH}, "the document has no fault; expected delay, abort or both"),
        ({"abort": {"status": 503}}, "match is missing; expected a list of 1 or more, each a mapping"),
        ({"match": MATCH, "abort": {"status": 200}}, "abort.status is 200; expected a whole number from 400 to 599"),
        (
            {"match": MATCH, "delay": {}},
            "delay.time is missing; expected a duration such as 90s or 1h30m, from 1ms to 1m",
        ),
        (
            {"match": [{"path": "/api"}], "abort": {"status": 503}},
            "match[0] would do it to users of that path; expected a header or a cookie that only test requests have",
        ),
    ],
)
def test_mistakes_in_a_fault_test(section: Mapping[str, object], said: str) -> None:
    assert mistakes(fault_test.parse, section) == [said]


def test_a_preview_may_demand_a_header_of_the_teams_choice_or_a_token() -> None:
    chosen = read(blue_green.parse, {"preview": {"headers": {"X-Team": {"exact": "blue"}}}})
    assert isinstance(chosen, blue_green.BlueGreen)
    assert chosen.preview == Rule("preview", (Match(headers=(HeaderMatch("x-team", MatchKind.EXACT, "blue"),)),))
    borne = read(blue_green.parse, {"preview": {"jwt": JWT}})
    assert isinstance(borne, blue_green.BlueGreen)
    assert borne.preview.matches == PREVIEW.matches
    assert borne.preview.jwt == Jwt(
        "https://id.example.org", borne.preview.jwt.jwks if borne.preview.jwt else "", ("delivery",)
    )
    assert borne.preview.jwt is not None
    assert json.loads(borne.preview.jwt.jwks) == {"keys": [KEY]}
    assert plan({"blue_green": {"preview": {"jwt": JWT}}}).stages[0].traffic.rules == (borne.preview,)


@pytest.mark.parametrize(
    ("preview", "said"),
    [
        ({"headers": {}}, "preview.headers is empty; expected one header or more, each with exact, prefix or regex"),
        ({"jwt": {"jwks": {"keys": [KEY]}}}, "preview.jwt.issuer is missing; expected a line of text"),
        ({"jwt": {"issuer": "a"}}, "preview.jwt.jwks.keys is missing; expected a list of 1 or more"),
        (
            {"jwt": {"issuer": "a", "jwks": {"keys": [{**KEY, "d": "c2VjcmV0"}]}}},
            "preview.jwt.jwks.keys[0].d belongs to the private half of a key: take it out, and make a new key",
        ),
        (
            {"jwt": {"issuer": "a", "jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}},
            "preview.jwt.jwks.keys[0].kty is 'oct'; expected the kind of a public key: RSA, EC, OKP",
        ),
        (
            {"jwt": {"issuer": "a", "jwks": "https://id.example.org/keys"}},
            "preview.jwt.jwks is 'https://id.example.org/keys'; expected a mapping",
        ),
    ],
)
def test_mistakes_in_a_preview(preview: Mapping[str, object], said: str) -> None:
    assert [one for one in mistakes(blue_green.parse, {"preview": preview}) if one.startswith(said)]


def test_a_policy_that_is_wrong_makes_no_service() -> None:
    fields = Fields({"traffic_policy": {"circuit_breaker": {}}})
    read_policy(fields.sub("traffic_policy"))
    with pytest.raises(Invalid, match="has nothing that opens it"):
        fields.check()
