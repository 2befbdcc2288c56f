"""What we leave on a VirtualService, one annotation for each service that it routes to. Pure.

No key has `istio.io` in it: Istio pushes to every proxy on annotations that contain that.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from delivery.adapters.kube import marks
from delivery.model.ids import ReleaseId
from delivery.ports.mesh import Stamp

PREFIX = f"route.{marks.PREFIX}"
PAUSE = f"{marks.PREFIX}pause"
"""Whoever sets this annotation on a VirtualService stops every write of ours to it; its value says why."""
OURS = "delivery-"
"""Every route of ours is called `delivery-SERVICE.KIND`."""
PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Written:
    """`rev` grows with every write, so that a write that is repeated under one token is told from the first.

    `stable`, `candidate` and `ours` are destinations as `HOST` or `HOST|SUBSET`; `ours` are all that we have put into
    the owners' routes. `guards` are the objects beside the routes that limit the candidate, as `KIND/NAME`.
    """

    stamp: Stamp
    rev: int
    stable: str | None
    candidate: str | None
    ours: tuple[str, ...]
    guards: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """What the probe route answers."""
        return f"{self.stamp.release}/{self.stamp.dseq}/{self.rev}"


def key(service: str) -> str:
    return f"{PREFIX}{service}"


def encode(written: Written) -> str:
    fields = {**asdict(written.stamp), "rev": written.rev, "stable": written.stable, "candidate": written.candidate}
    guards = {"guards": list(written.guards)} if written.guards else {}
    return json.dumps({**fields, "ours": list(written.ours), **guards}, separators=(",", ":"))


def read(document: Mapping[str, Any], service: str) -> Written | None:
    """What we wrote there last; None where there is nothing, or nothing that is whole."""
    try:
        fields = json.loads(annotations(document)[key(service)])
        stamp = Stamp(
            epoch=int(fields["epoch"]),
            release=ReleaseId(str(fields["release"])),
            dseq=int(fields["dseq"]),
            seq=int(fields["seq"]),
            head=str(fields["head"]),
        )
        ours = tuple(str(name) for name in fields["ours"])
        guards = tuple(str(each) for each in fields.get("guards", ()))
        return Written(stamp, int(fields["rev"]), fields["stable"], fields["candidate"], ours, guards)
    except (KeyError, TypeError, ValueError):
        return None


def services(document: Mapping[str, Any]) -> frozenset[str]:
    """The services that have left something on it: an annotation, or a probe route."""
    told = {name.removeprefix(PREFIX) for name in annotations(document) if name.startswith(PREFIX)}
    return frozenset(told | {service for route in http(document) if (service := _probed(route))})


def annotations(document: Mapping[str, Any]) -> Mapping[str, str]:
    return document["metadata"].get("annotations") or {}


def http(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The HTTP routes, in the order in which they are tried."""
    return (document.get("spec") or {}).get("http") or []


def name_of(service: str, kind: str) -> str:
    """The name of a route of ours. A service's name has no dot, so no two services have routes of one name."""
    return f"{OURS}{service}.{kind}"


def is_ours(route: Mapping[str, Any], service: str) -> bool:
    """Whether it is a route that we have put there for this service."""
    return str(route.get("name", "")).startswith(name_of(service, ""))


def _probed(route: Mapping[str, Any]) -> str:
    service, _, kind = str(route.get("name", "")).removeprefix(OURS).partition(".")
    return service if kind == PROBE and str(route["name"]).startswith(OURS) else ""
