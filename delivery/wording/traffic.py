"""Desired traffic in words: who gets the candidate."""

from delivery.model.plan import Stage
from delivery.model.traffic import Match, MatchKind, Rule, Traffic
from delivery.wording.policy import bearer, fault
from delivery.wording.units import listed, percent

_VERB = {MatchKind.EXACT: "is", MatchKind.PREFIX: "begins with", MatchKind.REGEX: "matches"}


def describe(traffic: Traffic) -> str:
    """`5 % of requests, and those with header x-beta is true` or the like; `nobody` where only stable serves."""
    parts = []
    if traffic.mirror:
        methods = f" of {listed(traffic.mirror.methods)} requests" if traffic.mirror.methods else " of requests"
        parts.append(f"copies of {percent(traffic.mirror.percent)}{methods}, answered to nobody")
    if traffic.weight == 100:
        return "everybody"
    if traffic.weight:
        whom = "users" if traffic.sticky else "requests"
        parts.append(f"{percent(traffic.weight)} of {whom}")
    parts += _rules(traffic.rules)
    told = listed(parts) or "nobody"
    return f"{told}, beside {percent(traffic.baseline)} for a copy of stable" if traffic.baseline else told


def _rules(rules: tuple[Rule, ...]) -> list[str]:
    plain = [match(one) for rule in rules if rule.fault is None and rule.jwt is None for one in rule.matches]
    parts = [f"requests with {listed(plain, 'or')}"] if plain else []
    for rule in rules:
        met = listed([match(one) for one in rule.matches], "or")
        if rule.jwt is not None:
            parts.append(f"requests with {met} that bear {bearer(rule.jwt)}")
        if rule.fault is not None:
            parts.append(f"test requests with {met} ({fault(rule.fault)})")
    return parts


def match(one: Match) -> str:
    """The conditions of a match, all of which must hold."""
    parts = [f"header {header.name} that {_VERB[header.kind]} {header.value}" for header in one.headers]
    parts += [f"cookie {cookie.name}={cookie.value}" for cookie in one.cookies]
    if one.path:
        parts.append(f"path below {one.path}")
    return listed(parts) or "any content"


def place(stage: int, stages: tuple[Stage, ...]) -> str:
    """A stage by name and place: `canary 5% (2/4)`. One past the last is the raise to 100 percent."""
    if stage < 0:
        return "before the first stage"
    if stage >= len(stages):
        return "100\u202f%"
    return f"{stages[stage].name} ({stage + 1}/{len(stages)})"
