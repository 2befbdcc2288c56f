"""Which requests a rule means: headers, cookies and paths, as a service file writes them."""

import re
from typing import Final

from delivery.model.fields import Fields
from delivery.model.scalars import pattern, text
from delivery.model.traffic import CookieMatch, HeaderMatch, Match, MatchKind

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_OURS = "x-delivery-"
_COOKIE: Final = pattern(r"[A-Za-z0-9!#$%&'()*+./:<=>?@\[\]^_`{|}~-]{1,200}", "the value of a cookie, without spaces")
_PATH: Final = pattern(
    r"(/[A-Za-z0-9._~!$&'()*+,=:@%-]+)+",
    "a path of whole segments without a slash at its end, such as /beta or /api/v2",
)
_BEYOND_RE2 = re.compile(r"\(\?(?:[=!>]|<[=!]|P=|\()|\\[1-9Z]")
_COOKIE_HEADER = "cookie"
_MOST_COOKIES = 4
"""Istio has no match for a cookie: an expression tries every order that they may come in, 24 of them for four."""


def matches(fields: Fields) -> tuple[Match, ...]:
    """The list below `match`. A request that meets any of them is meant; of each, every condition must hold."""
    return tuple(_match(item) for item in fields.subs("match", least=1))


def headers(item: Fields) -> tuple[HeaderMatch, ...]:
    """The mapping below `headers`."""
    found = tuple(_header(name, section) for name, section in item.named("headers").items())
    names = [header.name for header in found]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        item.wrong("headers", f"names {name} twice", "one condition for a header: a regex for both")
    return found


def _match(item: Fields) -> Match:
    wanted = headers(item)
    cookies = _cookies(item)
    path = item.get("path", _PATH, None)
    if not (wanted or cookies or path):
        item.wrong(None, "has no condition", "headers, cookies or path")
    if cookies and any(header.name == _COOKIE_HEADER for header in wanted):
        item.wrong("headers", f"has a condition on {_COOKIE_HEADER} beside cookies", "all of them below cookies")
    return Match(wanted, cookies, path)


def _header(name: str, section: Fields) -> HeaderMatch:
    if not _TOKEN.fullmatch(name) or name.lower().startswith(_OURS):
        section.wrong(
            None, "is no header that a rule can be about", f"a header's name that does not begin with {_OURS}"
        )
    kind = section.only([kind.value for kind in MatchKind])
    if kind is None:
        return HeaderMatch(name, MatchKind.EXACT, "")
    value = section.get(kind, text())
    if kind == MatchKind.REGEX:
        _check_regex(section, value)
    return HeaderMatch(name.lower(), MatchKind(kind), value)


def _check_regex(section: Fields, value: str) -> None:
    """Proxies use RE2, which has no way to look around or back: found here rather than at the first release."""
    try:
        re.compile(value)
    except re.error as error:
        section.wrong("regex", f"is no regular expression: {error}")
        return
    if _BEYOND_RE2.search(value):
        section.wrong("regex", "looks around or refers back", "an expression that RE2 has")


def _cookies(item: Fields) -> tuple[CookieMatch, ...]:
    section = item.sub("cookies")
    for name in section.keys:
        if not _TOKEN.fullmatch(name):
            section.wrong(name, "is no name of a cookie", "letters, digits and dashes")
    if len(section.keys) > _MOST_COOKIES:
        expected = f"at most {_MOST_COOKIES}: they may come in any order, and each is looked for"
        item.wrong("cookies", f"has {len(section.keys)} cookies", expected)
    return tuple(CookieMatch(name, section.get(name, _COOKIE)) for name in section.keys)
