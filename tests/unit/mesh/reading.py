"""How Envoy reads our virtual host, as far as we use it: the first route that matches, and the odds of what follows."""

import re
from fractions import Fraction

from delivery.adapters.mesh.answer import Answer, Request

Key = tuple[str | None, tuple[tuple[str, str | None], ...], str | None]
"""An answer as something that can be counted: backend, cookies, shadow."""


def odds(section, request: Request) -> dict[Key, Fraction]:
    """Every possible answer with its odds."""
    found: dict[Key, Fraction] = {}
    left = Fraction(1)
    for route in section["routes"]:
        if left and matches(route["match"], request):
            drawn = route["match"].get("runtime_fraction", {}).get("default_value")
            taken = Fraction(drawn["numerator"], 1_000_000) if drawn else Fraction(1)
            for answer, share in of_route(route).items():
                found[answer] = found.get(answer, Fraction(0)) + left * taken * share
            left *= 1 - taken
    return found


def of_route(route) -> dict[Key, Fraction]:
    if "direct_response" in route:
        return {frozen(Answer(None)): Fraction(1)}
    action = route["route"]
    entries = action.get("weighted_clusters", {}).get("clusters") or [{"name": action["cluster"], "weight": 1}]
    total = sum(entry["weight"] for entry in entries)
    found: dict[Key, Fraction] = {}
    for entry in entries:
        headers = [*route.get("response_headers_to_add", ()), *entry.get("response_headers_to_add", ())]
        cookies = dict(cookie(each["header"]["value"]) for each in headers)
        for shadow, share in shadows(action).items():
            answer = frozen(Answer(entry["name"], cookies, shadow))
            found[answer] = found.get(answer, Fraction(0)) + share * Fraction(entry["weight"], total)
    return found


def shadows(action):
    policies = action.get("request_mirror_policies")
    if not policies:
        return {None: Fraction(1)}
    share = Fraction(policies[0]["runtime_fraction"]["default_value"]["numerator"], 100)
    return {shadow: part for shadow, part in ((policies[0]["cluster"], share), (None, 1 - share)) if part}


def frozen(answer: Answer) -> Key:
    return answer.backend, tuple(sorted(answer.cookies.items())), answer.shadow


def cookie(line):
    pair, *attributes = (part.strip() for part in line.split(";"))
    name, _, value = pair.partition("=")
    return name, None if "Max-Age=0" in attributes else value


def matches(match, request: Request) -> bool:
    path = request.path.partition("?")[0]
    if "path_separated_prefix" in match:
        prefix = match["path_separated_prefix"]
        if path != prefix and not path.startswith(prefix + "/"):
            return False
    else:
        assert match["prefix"] == "/"
    headers = {name.lower(): value for name, value in request.headers.items()} | {":method": request.method}
    wanted = [(headers, each) for each in match.get("headers", ())]
    wanted += [(dict(request.cookies), each) for each in match.get("cookies", ())]
    return all(each["name"] in values and says(each["string_match"], values[each["name"]]) for values, each in wanted)


def says(wanted, value) -> bool:
    ((kind, text),) = wanted.items()
    if kind == "safe_regex":
        return re.fullmatch(text["regex"], value) is not None
    return {"exact": value == text, "prefix": value.startswith(text)}[kind]
