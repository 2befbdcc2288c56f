"""What may go into the watched files: nothing that Envoy refuses; and a mistake is held against its author alone.

Envoy takes or refuses a file as a whole. What it accepted before is known to be good, so only what is new is asked for:
60 ms whatever the number of services. Where somebody else has edited the file, all of it is asked for; where that is
refused for their part, their part goes back to what was accepted last, which is what Envoy still serves.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from delivery.adapters.mesh.envoy.clusters import Cluster
from delivery.adapters.mesh.envoy.files import CLUSTERS, ROUTES, Document, Files, sections_of
from delivery.adapters.mesh.envoy.marker import Section
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.ports.errors import Refused, Unavailable

Change = Callable[[list[Cluster]], list[Cluster]]


@dataclass(frozen=True, slots=True)
class Known:
    """What sections may name."""

    clusters: list[Cluster]
    tokens: Mapping[str, Any]


def sections(
    validator: Validator, files: Files, found: list[Section], written: Section, known: Known, *, waits: bool = True
) -> list[Section]:
    """The route file's sections with this one written. Raises Refused with Envoy's words, for this one alone.

    One that does not wait goes in unasked where Envoy has accepted all that it names: a program that cannot be started
    now must not keep users on a version that fails.
    """
    accepted = files.accepted(ROUTES)
    good = sections_of(accepted or {"resources": []})
    whole, safe = _replaced(found, written), _replaced(good, written)
    unasked = not waits and _is_accepted(files, good, written, known)
    if not unasked:
        wanted = named_clusters(written)
        validator.check([written], [cluster for cluster in known.clusters if cluster["name"] in wanted], known.tokens)
    if whole == safe and len(safe) == len(good):
        return whole
    try:
        validator.check(whole, known.clusters, known.tokens)
    except Unavailable:
        if not unasked:
            raise
    except Refused:
        if accepted is None:
            return _replaced([each for each in found if _passes(validator, each, known)], written)
        validator.check(safe, known.clusters, known.tokens)
        return safe
    return whole


def _is_accepted(files: Files, good: list[Section], written: Section, known: Known) -> bool:
    """Whether Envoy knows the section, and every cluster that it is to name now."""
    accepted = by_name((files.accepted(CLUSTERS) or {"resources": []})["resources"])
    both = accepted.keys() & by_name(known.clusters).keys()
    return written["name"] in by_name(good) and named_clusters(written) <= both


def _passes(validator: Validator, section: Section, known: Known) -> bool:
    """Whether Envoy takes it by itself: what was accepted last is not known any more."""
    with suppress(Refused):
        validator.check([section], known.clusters, known.tokens)
        return True
    return False


def clusters(validator: Validator, files: Files, document: Document, change: Change) -> list[Cluster]:
    """The cluster file's clusters after a change. Raises Refused with Envoy's words for what the change itself adds."""
    accepted = (files.accepted(CLUSTERS) or {"resources": []})["resources"]
    whole, safe = change(document["resources"]), change(accepted)
    validator.check([], [cluster for cluster in safe if cluster not in accepted])
    if whole == safe:
        return whole
    try:
        validator.check([], whole)
    except Refused:
        return safe
    return whole


def by_name(items: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}


def named_clusters(node: Any) -> set[str]:
    """Every cluster that a section names, at whatever depth."""
    if isinstance(node, list):
        return set().union(*map(named_clusters, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(named_clusters, node.values()))
    named = (node.get("cluster"), node.get("name") if "weight" in node else None)
    return found | {name for name in named if isinstance(name, str)}


def _replaced(found: list[Section], written: Section) -> list[Section]:
    """In place, so that nobody else's section moves; a new one comes last."""
    return list((by_name(found) | {written["name"]: written}).values())
