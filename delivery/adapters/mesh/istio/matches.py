"""Conditions of ours in Istio's words, and their conjunction with those that a route has already. Pure.

Within a match of Istio all conditions must hold; of the matches of a route, any. A header or the path can have one
condition in a match: where two would be needed and neither follows from the other, that is refused and said.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from delivery.model.traffic import CookieMatch, HeaderMatch, Match
from delivery.ports.errors import Refused

Condition = dict[str, Any]
COOKIE = "cookie"


def of_match(match: Match) -> list[Condition]:
    """A match of ours as matches of Istio: any of them."""
    base: Condition = {}
    headers = {header.name.lower(): _header(header) for header in match.headers}
    if len(headers) < len(match.headers):
        raise Refused("Istio takes one condition for a header in a match: write one regex for both")
    if match.cookies and COOKIE in headers:
        raise Refused("Istio takes one condition for a header in a match, and has none for cookies: use cookies alone")
    if match.cookies:
        headers[COOKIE] = {"regex": cookies_regex(match.cookies)}
    if headers:
        base["headers"] = headers
    path = (match.path or "/").rstrip("/")
    if not path:
        return [base]
    return [{"uri": {"exact": path}, **base}, {"uri": {"prefix": f"{path}/"}, **base}]


def of_cookie(name: str, value_regex: str) -> Condition:
    """A cookie with a value that a regular expression matches whole."""
    return {"headers": {COOKIE: {"regex": _cookie(re.escape(name), value_regex)}}}


def of_methods(methods: Iterable[str]) -> Condition:
    """Any of these HTTP methods."""
    return {"method": {"regex": "|".join(re.escape(method) for method in methods)}}


def cookies_regex(cookies: Sequence[CookieMatch]) -> str:
    """RE2 has no lookahead, so that several cookies are matched in every order that they may come in."""
    pairs = [f"{re.escape(cookie.name)}={re.escape(cookie.value)}" for cookie in cookies]
    orders = [r";(?:.*;)?\s*".join(order) for order in itertools.permutations(pairs)]
    return rf"(?:.*;\s*)?(?:{'|'.join(orders)})(?:\s*;.*)?"


def both(found: Sequence[Condition] | None, wanted: Sequence[Condition]) -> list[Condition]:
    """The matches that hold where one of each holds. Empty: nothing can meet both."""
    pairs = itertools.product(found or [{}], wanted)
    return [joined for one, other in pairs if (joined := _joined(one, other)) is not None]


def _joined(found: Condition, wanted: Condition) -> Condition | None:
    joined = {**found, **wanted}
    for key in found.keys() & wanted.keys():
        if key == "headers":
            joined[key] = _joined_headers(found[key], wanted[key])
        elif key == "uri":
            uri = _joined_uri(found[key], wanted[key])
            if uri is None:
                return None
            joined[key] = uri
        elif key == "method":
            some = _methods(wanted[key]) & _methods(found[key])
            if not some:
                return None
            joined[key] = of_methods(sorted(some))["method"]
        elif found[key] != wanted[key]:
            raise Refused(f"a route matches by {key} already, and cannot have a second condition on it")
    return joined


def _joined_headers(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Condition:
    for name in found.keys() & wanted.keys():
        if found[name] != wanted[name]:
            raise Refused(
                f"a route matches by the header {name} already, and a second condition on it cannot be written"
            )
    return {**found, **wanted}


def _joined_uri(found: Mapping[str, str], wanted: Mapping[str, str]) -> Mapping[str, str] | None:
    """The narrower of both; None where no path meets both."""
    if _covers(found, wanted):
        return wanted
    if _covers(wanted, found):
        return found
    if "regex" in found or "regex" in wanted:
        raise Refused(f"a route matches its path by the regex {found.get('regex')}, and a rule by path cannot be added")
    return None


def _covers(wide: Mapping[str, str], narrow: Mapping[str, str]) -> bool:
    if wide == narrow:
        return True
    return "prefix" in wide and any(narrow.get(kind, "").startswith(wide["prefix"]) for kind in ("exact", "prefix"))


def _methods(condition: Mapping[str, str]) -> set[str]:
    if "exact" in condition:
        return {condition["exact"]}
    if "regex" in condition and re.fullmatch(r"[A-Z|]+", condition["regex"]):
        return set(condition["regex"].split("|"))
    raise Refused(f"a route matches by method as {dict(condition)}, and a second condition on it cannot be written")


def _header(header: HeaderMatch) -> Condition:
    """Istio's regex matches the whole value, as ours is meant to."""
    return {header.kind.value: header.value}


def _cookie(name: str, value: str) -> str:
    return rf"(?:.*;\s*)?{name}=(?:{value})(?:\s*;.*)?"


def conditions(route: Mapping[str, Any]) -> Iterator[Condition]:
    """The matches of a route; one that always holds where it has none."""
    yield from route.get("match") or [{}]
