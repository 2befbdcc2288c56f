"""Who answers a request under a route: the meaning of Traffic, without any proxy. Pure.

The memory mesh serves by it, and the real adapters are held against it.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from delivery.model.ids import Micros
from delivery.model.policy import Jwt
from delivery.model.traffic import HeaderMatch, Match, MatchKind, Mirror, Rule, Sticky
from delivery.model.version import Backend, Lane
from delivery.ports.mesh import Route

Draw = Callable[[int], int]
"""A number from 0 to one less than its argument."""


@dataclass(frozen=True, slots=True)
class Request:
    service: str
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """`backend` is None where nothing may answer. `cookies` are set at the user, a None takes the cookie back.

    `shadow` is the backend that got a copy. `status` is what a proxy answers by itself, `delay` what it waits before.
    """

    backend: str | None
    cookies: Mapping[str, str | None] = field(default_factory=dict)
    shadow: str | None = None
    status: int | None = None
    delay: Micros = Micros(0)


def answer(route: Route, request: Request, draw: Draw) -> Answer:
    """The answer to one request."""
    traffic, stable, candidate = route.traffic, route.stable, route.candidate
    if candidate is None or stable is None:
        only = candidate if stable is None and traffic.weight == 100 else stable
        return Answer(only.name if only else None)
    if traffic.mirror is not None:
        return _mirrored(stable, candidate, traffic.mirror, request, draw)
    if traffic.weight == 100:
        return Answer(candidate.name)
    for rule in traffic.rules:
        if any(meets(match, request) for match in rule.matches):
            return _ruled(rule, candidate, request, draw)
    if traffic.sticky is not None:
        return _sticky(route.tag, (stable, candidate), traffic.weight, traffic.sticky, (request, draw))
    return Answer(_split(route, stable, candidate, draw).name)


def destinations(route: Route) -> frozenset[str]:
    """Every backend name to which the route can send something."""
    traffic, stable, candidate = route.traffic, route.stable, route.candidate
    found = set()
    if stable is not None and traffic.weight + (traffic.baseline or 0) < 100:
        found.add(stable.name)
    if route.copy is not None and traffic.baseline is not None:
        found.add(route.copy.name)
    if candidate is not None and traffic.exposes:
        found.add(candidate.name)
    if traffic.mirror is not None and stable is not None and candidate is not None:
        found.add(candidate.lane(Lane.SHADOW))
        found |= {stable.lane(Lane.SHADOWED)} if traffic.mirror.methods else set()
    return frozenset(found)


def takes_back(route: Route) -> bool:
    """Whether nobody is to get the candidate, nor copies be sent to it: that waits for as little as can be."""
    return not route.traffic.exposes and route.traffic.mirror is None


def uncarried(route: Route) -> str | None:
    """Why these two versions cannot carry this traffic."""
    traffic = route.traffic
    if route.candidate is None and (traffic.exposes or traffic.mirror):
        return "this traffic needs a candidate, and there is none"
    if (route.copy is None) != (traffic.baseline is None):
        return "this traffic has a share for a copy of stable and there is none, or the other way round"
    if route.stable is None and (traffic.mirror or traffic.rules or 0 < traffic.weight < 100):
        return "this traffic needs a stable version beside the candidate, and there is none"
    return None


def mistake(route: Route) -> str | None:
    """Why no proxy could take this route, whatever backends there are."""
    if (reason := uncarried(route)) is not None:
        return reason
    for rule in route.traffic.rules:
        for header in (header for match in rule.matches for header in match.headers):
            if header.kind is MatchKind.REGEX and (wrong := _regex_mistake(header.value)):
                return f"rule {rule.name}: invalid regex '{header.value}': {wrong}"
    return None


def meets(match: Match, request: Request) -> bool:
    """Whether a request meets every condition of a match."""
    path = (match.path or "").rstrip("/")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return (
        (request.path.partition("?")[0] + "/").startswith(path + "/")
        and all(_header_meets(wanted, headers.get(wanted.name.lower())) for wanted in match.headers)
        and all(request.cookies.get(wanted.name) == wanted.value for wanted in match.cookies)
    )


def _regex_mistake(text: str) -> str | None:
    try:
        re.compile(text)
    except re.error as error:
        return str(error)
    return None


def _header_meets(wanted: HeaderMatch, value: str | None) -> bool:
    if value is None:
        return False
    if wanted.kind is MatchKind.EXACT:
        return value == wanted.value
    if wanted.kind is MatchKind.PREFIX:
        return value.startswith(wanted.value)
    return re.fullmatch(wanted.value, value) is not None


def bears(jwt: Jwt, request: Request) -> bool:
    """Whether a request has a token that says what is asked for. Who signed it is for real proxies to prove."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        body = headers["authorization"].removeprefix("Bearer ").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        issuer, audience = claims["iss"], claims.get("aud", [])
    except (KeyError, IndexError, TypeError, ValueError):
        return False
    audiences = [audience] if isinstance(audience, str) else audience
    return issuer == jwt.issuer and (not jwt.audiences or bool(set(jwt.audiences) & set(audiences)))


def _ruled(rule: Rule, candidate: Backend, request: Request, draw: Draw) -> Answer:
    if rule.jwt is not None and not bears(rule.jwt, request):
        return Answer(None, status=401)
    if rule.fault is None:
        return Answer(candidate.name)
    late = rule.fault.delay if rule.fault.delay is not None and draw(100) < rule.fault.delay_percent else Micros(0)
    if rule.fault.abort is not None and draw(100) < rule.fault.abort_percent:
        return Answer(None, status=rule.fault.abort, delay=late)
    return Answer(candidate.name, delay=late)


def _drawn(stable: Backend, candidate: Backend, share: int, total: int, draw: Draw) -> Backend:
    return candidate if draw(total) < share else stable


def _split(route: Route, stable: Backend, candidate: Backend, draw: Draw) -> Backend:
    """Of a hundred draws the first are the candidate's, and those after them the copy's."""
    drawn, weight = draw(100), route.traffic.weight
    if drawn < weight:
        return candidate
    return route.copy if route.copy is not None and drawn < weight + (route.traffic.baseline or 0) else stable


def _mirrored(stable: Backend, candidate: Backend, mirror: Mirror, request: Request, draw: Draw) -> Answer:
    if mirror.methods and request.method not in mirror.methods:
        return Answer(stable.name)
    shadow = candidate.lane(Lane.SHADOW) if draw(100) < mirror.percent else None
    return Answer(stable.lane(Lane.SHADOWED) if mirror.methods else stable.name, shadow=shadow)


def _sticky(
    tag: str, pair: tuple[Backend, Backend], weight: int, sticky: Sticky, asked: tuple[Request, Draw]
) -> Answer:
    (stable, candidate), (request, draw) = pair, asked
    held = request.cookies.get(sticky.cookie, "")
    stage = len(sticky.draws)
    if weight == 0:
        ours = held.startswith(("candidate-", "stable-"))
        return Answer(stable.name, {sticky.cookie: None} if ours else {})
    if held == f"candidate-{tag}":
        return Answer(candidate.name)
    if held == f"stable-{tag}-{stage}":
        return Answer(stable.name)
    earlier = {f"stable-{tag}-{number}": share for number, share in enumerate(sticky.draws)}.get(held, 0)
    drawn = _drawn(stable, candidate, max(0, weight - earlier), 100 - earlier, draw)
    cookie = f"candidate-{tag}" if drawn is candidate else f"stable-{tag}-{stage}"
    return Answer(drawn.name, {sticky.cookie: cookie})
