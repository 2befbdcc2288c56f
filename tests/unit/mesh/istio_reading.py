"""How Istio reads a VirtualService, as far as we use it: the first route that matches, and the odds of what follows."""

import re
from fractions import Fraction

from delivery.adapters.mesh.answer import Answer, Request
from delivery.adapters.mesh.istio import hosts
from delivery.model.place import Place
from delivery.model.version import Lane
from delivery.ports.mesh import Route
from tests.unit.mesh.reading import Key, cookie, frozen


def odds(document, request: Request, route: Route, place: Place) -> dict[Key, Fraction]:
    """Every possible answer with its odds."""
    names = backends(route, place)
    found: dict[Key, Fraction] = {}
    chosen = next(each for each in document["spec"]["http"] if takes(each, request))
    if "directResponse" in chosen:
        return {frozen(Answer(None)): Fraction(1)}
    entries = chosen["route"]
    weights = [1] if len(entries) == 1 else [each.get("weight", 0) for each in entries]  # a lone one gets everything
    for entry, weight in zip(entries, weights, strict=True):
        if not weight:
            continue
        told = entry.get("headers", {}).get("response", {}).get("add", {})
        cookies = dict([cookie(told["set-cookie"])]) if "set-cookie" in told else {}
        for shadow, share in shadows(chosen, names, place).items():
            answer = frozen(Answer(names[hosts.label_of(entry, place.namespace)], cookies, shadow))
            found[answer] = found.get(answer, Fraction(0)) + share * Fraction(weight, sum(weights))
    return found


def backends(route: Route, place: Place) -> dict[str, str]:
    """What the engine calls each destination."""
    found = {}
    for backend in filter(None, (route.stable, route.candidate, route.copy)):
        for lane in Lane:
            found[hosts.lane(place, backend, lane)] = backend.lane(lane)
    return found


def shadows(chosen, names, place):
    if not chosen.get("mirrors"):
        return {None: Fraction(1)}
    (only,) = chosen["mirrors"]
    share = Fraction(only["percentage"]["value"], 100)
    name = names[hosts.label_of(only, place.namespace)]
    return {shadow: part for shadow, part in ((name, share), (None, 1 - share)) if part}


def takes(route, request: Request) -> bool:
    return "match" not in route or any(meets(match, request) for match in route["match"])


def meets(match, request: Request) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
    path = request.path.partition("?")[0]
    assert match.keys() <= {"uri", "headers", "method"}
    return (
        ("uri" not in match or says(match["uri"], path))
        and ("method" not in match or says(match["method"], request.method))
        and all(name in headers and says(wanted, headers[name]) for name, wanted in match.get("headers", {}).items())
    )


def says(wanted, value) -> bool:
    ((kind, text),) = wanted.items()
    if kind == "regex":
        return re.fullmatch(text, value) is not None
    return {"exact": value == text, "prefix": value.startswith(text)}[kind]
