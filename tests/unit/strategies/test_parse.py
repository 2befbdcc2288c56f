"""Each strategy's section: what it means, and what is wrong with it."""

from collections.abc import Callable, Mapping

import pytest

from delivery.model.approval_section import Asked
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, HookId, Micros
from delivery.model.plan import LowTraffic, Then
from delivery.model.service import Strategy
from delivery.model.traffic import CookieMatch, HeaderMatch, Match, MatchKind, Mirror
from delivery.strategies import ab_test, blue_green, canary, dark_launch
from delivery.strategies.ab_test import AbTest
from delivery.strategies.approvals import Approvals
from delivery.strategies.blue_green import BlueGreen
from delivery.strategies.canary import Canary
from delivery.strategies.dark_launch import DarkLaunch
from delivery.strategies.terms import Terms

PERCENT = "a whole percent from 1% to 100%"
METHODS = "all, or a list of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
PATH = "a path of whole segments without a slash at its end, such as /beta or /api/v2"
HEADER = "is no header that a rule can be about; expected a header's name that does not begin with x-delivery-"
RE2 = "looks around or refers back; expected an expression that RE2 has"
TEXT = "a line of text of at most 200 characters (quoted, if it looks like a number)"
COOKIE = "the name of a cookie: letters, digits, dashes and underscores, at most 64"
KEYS = "steps, sticky, approval, bake, gates, deadline, min_requests, low_traffic, traffic_policy"
POINTS = "one of begin, 5%, 25%, 50%, 100%, promotion"
ONCE = "expected each point once, with all who are asked there"
SRE = Asked(2, "sre", Micros(4 * HOUR))
MATCH = [{"headers": {"x-beta": {"exact": "true"}}}]


def read(parse: Callable[[Fields], Strategy], section: Mapping[str, object]) -> Strategy:
    fields = Fields(section)
    strategy = parse(fields)
    fields.check()
    return strategy


def mistakes(parse: Callable[[Fields], Strategy], section: Mapping[str, object]) -> list[str]:
    fields = Fields(section)
    parse(fields)
    return [str(mistake) for mistake in fields.finish()]


def test_an_empty_canary_has_the_steps_that_were_simulated() -> None:
    assert read(canary.parse, {}) == Canary(steps=(5, 25, 50), bakes=(None, None, None))


def test_a_full_canary() -> None:
    section = {
        "steps": ["1%", "5%", "25%"],
        "bake": ["2m", "5m", "1h"],
        "sticky": {"cookie": "rel"},
        "gates": ["errors"],
        "deadline": "4h",
        "min_requests": 10,
        "low_traffic": "advance",
        "approval": {"before": ["25%", "100%"], "from": "sre", "count": 2, "expires": "4h"},
    }
    assert read(canary.parse, section) == Canary(
        steps=(1, 5, 25),
        bakes=(Micros(2 * MINUTE), Micros(5 * MINUTE), HOUR),
        terms=Terms(Micros(4 * HOUR), ("errors",), 10, LowTraffic.ADVANCE),
        cookie="rel",
        approvals=Approvals((("25%", SRE), ("100%", SRE))),
    )


def test_one_bake_is_for_every_step() -> None:
    strategy = read(canary.parse, {"steps": ["1%", "5%"], "bake": "5m"})
    assert isinstance(strategy, Canary)
    assert strategy.bakes == (5 * MINUTE, 5 * MINUTE)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"steps": ["5%", "5%"]}, "steps[1] does not rise above 5%; expected weights that rise from step to step"),
        ({"steps": ["25%", "5%"]}, "steps[1] does not rise above 25%; expected weights that rise from step to step"),
        ({"steps": ["25%", "150%"]}, f"steps[1] is '150%'; expected {PERCENT}"),
        ({"steps": ["0%"]}, f"steps[0] is '0%'; expected {PERCENT}"),
        ({"steps": ["0.5%"]}, f"steps[0] is '0.5%'; expected {PERCENT}"),
        ({"steps": [5]}, f"steps[0] is 5; expected {PERCENT}"),
        ({"steps": []}, f"steps is an empty list; expected a list of 1 or more, each {PERCENT}"),
        (
            {"steps": ["1%"], "bake": ["1m", "2m"]},
            "bake has 2 durations for 1 steps; expected one duration, or one for each step",
        ),
        ({"bake": "0s"}, "bake is '0s'; expected a duration such as 90s or 1h30m, from 100ms to 720h"),
        ({"approval": {"before": "7%"}}, f"approval.before is '7%'; expected {POINTS}"),
        ({"approval": [{"before": ["5%", "strat"]}]}, f"approval[0].before[1] is 'strat'; expected {POINTS}"),
        ({"approval": {"before": ["begin", "5%"]}}, f"approval.before asks twice before 5%; {ONCE}"),
        (
            {"approval": [{"before": "promotion"}, {"before": "100%", "from": "sre"}]},
            f"approval[1].before asks twice before 100%; {ONCE}",
        ),
        ({"approval": []}, "approval is an empty list; expected a list of 1 or more, each a mapping"),
        ({"approval": "sre"}, "approval is 'sre'; expected a mapping"),
        ({"approval": {"before": "5%", "count": 0}}, "approval.count is 0; expected a whole number from 1 to 10"),
        ({"sticky": {}}, f"sticky.cookie is missing; expected {COOKIE}"),
        ({"gates": ["errors", "errors"]}, "gates names a gate twice"),
        ({"setps": ["1%"]}, f"setps is unknown, did you mean steps?; expected one of {KEYS}"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_mistakes_in_a_canary(section: dict[str, object], said: str) -> None:
    assert mistakes(canary.parse, section) == [said]


def test_a_blue_green() -> None:
    assert read(blue_green.parse, {"bake": "5m", "approval": {"from": "qa"}}) == BlueGreen(
        Micros(5 * MINUTE), approvals=Approvals((("promotion", Asked(group="qa")),))
    )
    assert read(blue_green.parse, {"smoke": {"hook": "smoke"}}) == BlueGreen(None, smoke=HookId("smoke"))
    assert mistakes(blue_green.parse, {"smoke": {"hook": "Smoke"}}) == [
        "smoke.hook is 'Smoke'; expected the name of a hook"
    ]


def test_a_dark_launch_copies_only_what_changes_nothing_unless_told() -> None:
    assert read(dark_launch.parse, {"mirror": "10%"}) == DarkLaunch(Mirror(10, ("GET", "HEAD")))
    assert read(dark_launch.parse, {"mirror": "10%", "methods": ["POST"]}) == DarkLaunch(Mirror(10, ("POST",)))
    assert read(dark_launch.parse, {"mirror": "100%", "methods": "all"}) == DarkLaunch(Mirror(100))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, f"mirror is missing; expected {PERCENT}"),
        ({"mirror": "5%", "methods": ["get"]}, f"methods[0] is 'get'; expected {METHODS}"),
        (
            {"mirror": "5%", "methods": ["GET", "all"]},
            f"methods has all among others, or a method twice; expected {METHODS}",
        ),
        ({"mirror": "5%", "then": "wait"}, "then is 'wait'; expected one of ask, promote, withdraw"),
        (
            {"mirror": "5%", "then": "promote", "approval": {}},
            "approval asks before promotion, which then: promote decides; expected then: ask, or before: begin",
        ),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_mistakes_in_a_dark_launch(section: dict[str, object], said: str) -> None:
    assert mistakes(dark_launch.parse, section) == [said]


def test_an_ab_test() -> None:
    section = {
        "match": [
            {"headers": {"X-Beta": {"exact": "true"}, "user-agent": {"regex": ".*Firefox.*"}}, "path": "/api/v2"},
            {"cookies": {"group": "b"}},
        ],
        "bake": "2h",
        "report": ["conversion"],
        "then": "withdraw",
    }
    assert read(ab_test.parse, section) == AbTest(
        matches=(
            Match(
                headers=(
                    HeaderMatch("x-beta", MatchKind.EXACT, "true"),
                    HeaderMatch("user-agent", MatchKind.REGEX, ".*Firefox.*"),
                ),
                path="/api/v2",
            ),
            Match(cookies=(CookieMatch("group", "b"),)),
        ),
        bake=Micros(2 * HOUR),
        report=("conversion",),
        then=Then.WITHDRAW,
    )


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ([], "match is an empty list; expected a list of 1 or more, each a mapping"),
        ([{}], "match[0] has no condition; expected headers, cookies or path"),
        ([{"headers": {"x-beta": "true"}}], "match[0].headers.x-beta is 'true'; expected a mapping"),
        (
            [{"headers": {"x-beta": {}}}],
            "match[0].headers.x-beta is empty; expected exactly one of exact, prefix, regex",
        ),
        ([{"headers": {"x-beta": {"exact": True}}}], f"match[0].headers.x-beta.exact is true; expected {TEXT}"),
        (
            [{"headers": {"x-beta": {"exakt": "a"}}}],
            "match[0].headers.x-beta.exakt is unknown, did you mean exact?; expected one of exact, prefix, regex",
        ),
        ([{"headers": {"x beta": {"exact": "a"}}}], f'match[0].headers["x beta"] {HEADER}'),
        ([{"headers": {":path": {"exact": "a"}}}], f'match[0].headers[":path"] {HEADER}'),
        ([{"headers": {"X-Delivery-Preview": {"exact": "a"}}}], f"match[0].headers.X-Delivery-Preview {HEADER}"),
        (
            [{"headers": {"a": {"regex": "("}}}],
            "match[0].headers.a.regex is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        ([{"headers": {"a": {"regex": "(?!x).*"}}}], f"match[0].headers.a.regex {RE2}"),
        ([{"headers": {"a": {"regex": r"(x)\1"}}}], f"match[0].headers.a.regex {RE2}"),
        ([{"headers": {"a": {"regex": r"x\Z"}}}], f"match[0].headers.a.regex {RE2}"),
        (
            [{"headers": {"X-Beta": {"exact": "1"}, "x-beta": {"exact": "2"}}}],
            "match[0].headers names x-beta twice; expected one condition for a header: a regex for both",
        ),
        (
            [{"headers": {"Cookie": {"regex": ".*a=1.*"}}, "cookies": {"b": "2"}}],
            "match[0].headers has a condition on cookie beside cookies; expected all of them below cookies",
        ),
        (
            [{"cookies": dict.fromkeys("abcde", "1")}],
            "match[0].cookies has 5 cookies; expected at most 4: they may come in any order, and each is looked for",
        ),
        ([{"cookies": {"a": "b; c"}}], "match[0].cookies.a is 'b; c'; expected the value of a cookie, without spaces"),
        (
            [{"cookies": {"a b": "c"}}],
            'match[0].cookies["a b"] is no name of a cookie; expected letters, digits and dashes',
        ),
        ([{"path": "/"}], f"match[0].path is '/'; expected {PATH}"),
        ([{"path": "/a?b"}], f"match[0].path is '/a?b'; expected {PATH}"),
        ([{"path": "/a/"}], f"match[0].path is '/a/'; expected {PATH}"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_mistakes_in_a_rule(match: list[object], said: str) -> None:
    assert said in mistakes(ab_test.parse, {"match": match})


def test_a_report_has_a_gate_once() -> None:
    assert mistakes(ab_test.parse, {"match": MATCH, "report": ["slow", "slow"]}) == ["report names a gate twice"]


def test_an_approval_needs_a_group_that_can_be_named() -> None:
    said = mistakes(ab_test.parse, {"match": MATCH, "approval": {"from": "@sre"}})
    assert said == ["approval.from is '@sre'; expected the name of a group of approvers, such as sre"]


def test_an_approval_is_before_the_promotion_where_nothing_is_said() -> None:
    assert read(canary.parse, {"approval": {}}) == read(canary.parse, {"approval": {"before": "promotion"}})
    assert read(dark_launch.parse, {"mirror": "5%", "approval": {}}) == DarkLaunch(
        Mirror(5, ("GET", "HEAD")), approvals=Approvals((("promotion", Asked()),))
    )


def test_what_ends_by_itself_may_ask_before_it_begins() -> None:
    section = {"mirror": "5%", "then": "promote", "approval": {"before": "begin"}}
    assert read(dark_launch.parse, section) == DarkLaunch(
        Mirror(5, ("GET", "HEAD")), then=Then.PROMOTE, approvals=Approvals((("begin", Asked()),))
    )
