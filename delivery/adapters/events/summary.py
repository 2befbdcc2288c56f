"""A fact as plain JSON: what every receiver is told of a release."""

from typing import Any

from delivery.model.event import Phase
from delivery.model.release import Release
from delivery.model.version import VersionRef
from delivery.ports.subscriber import Fact
from delivery.wording.cause import because
from delivery.wording.units import instant


def summary(fact: Fact, base: str) -> dict[str, Any]:
    """`base` is the URL under which people reach the API."""
    release = fact.release
    stable = release.bound.stable if release.bound else None
    found: dict[str, Any] = {
        "id": release.id,
        "number": release.number,
        "service": fact.service,
        "cluster": fact.cluster,
        "owners": list(fact.owners),
        "state": _state(release.phase),
        "from": _version(stable) if stable else None,
        "to": _version(release.candidate),
        "actor": release.actor,
        "text": fact.text,
        "created_at": instant(release.created_at),
        "finished_at": instant(release.finished_at) if release.finished_at is not None else None,
        "exposed_percent": release.exposed,
        "stage": _stage(release),
        "holds": [{"kind": hold.kind.value, "detail": hold.detail} for hold in release.holds],
        "cause": None,
        "origin": dict(release.origin),
        "links": links(release, base),
    }
    if release.cause is not None:
        cause = release.cause
        found["cause"] = {"type": cause.kind.value, "actor": cause.actor, "text": because(cause)}
    return {name: value for name, value in found.items() if value is not None}


def links(release: Release, base: str) -> dict[str, str]:
    found = {"self": f"{base}/v1/releases/{release.id}", "html": page(release, base)}
    return found | ({"run": release.origin["run_url"]} if "run_url" in release.origin else {})


def page(release: Release, base: str) -> str:
    """Where people look at it."""
    return f"{base}/releases/{release.id}"


def _state(phase: Phase) -> str:
    return "progressing" if phase in (Phase.SHIFTING, Phase.BAKING) else phase.value


def _version(ref: VersionRef) -> dict[str, Any]:
    found = {"version": ref.version, "identity": ref.identity, "image": ref.image}
    return {name: value for name, value in found.items() if value is not None}


def _stage(release: Release) -> dict[str, Any] | None:
    if not 0 <= release.stage < len(release.plan.stages):
        return None
    stage = release.plan.stages[release.stage]
    return {
        "name": stage.name,
        "number": release.stage + 1,
        "of": len(release.plan.stages),
        "percent": stage.traffic.weight,
    }
