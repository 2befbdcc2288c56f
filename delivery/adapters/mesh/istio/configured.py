"""The mesh as the server's configuration describes it. Raises TypeError with the place of a mistake."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from delivery.adapters.git.configured import objects
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.through_git import GitKube
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proof import Gateway, Proof
from delivery.adapters.mesh.istio.proxies import Addresses, Fixed, Pods
from delivery.model.ids import TargetId
from delivery.model.place import Place

SYSTEM = "istio-system"
ISTIOD_PODS = "app=istiod"
ISTIOD_PORT = 15014


def make_mesh(
    cluster: str,
    locate: Callable[[TargetId], Place],
    access: tuple[str | None, str | None],
    gateways: Mapping[str, Any],
    istiod: tuple[Mapping[str, Any] | None, str | None],
    *,
    git: Mapping[str, Any] | None = None,
    trace_tags: bool = False,
) -> IstioMesh:
    """`access`: kubeconfig and context. `istiod`: where its replicas are, and the file with the token for them. `git`:
    the folder of a repository that is written instead of the cluster."""
    if not isinstance(trace_tags, bool):
        raise TypeError("trace_tags: expected true or false")
    stored = objects(**git) if git is not None else None
    kube = Kube(*access) if stored is None else GitKube(stored, *access)
    known = {name: _gateway(kube, name, table) for name, table in gateways.items()}
    asked, token = istiod
    istiods = None
    if asked is not None:
        where = {"namespace": SYSTEM, "pods": ISTIOD_PODS, "port": ISTIOD_PORT} if asked == {} else asked
        istiods = Istiods(_addresses(kube, "istiod", where, SYSTEM), Path(token) if token else None)
    return IstioMesh(cluster, kube, locate, Proof(known, istiods), git=stored, tagged=trace_tags)


def _gateway(kube: Kube, name: str, table: Any) -> Gateway:
    namespace, separator, rest = name.partition("/")
    if not separator or not rest or not isinstance(table, Mapping):
        raise TypeError(f'gateways."{name}": expected NAMESPACE/NAME of a Gateway object, and a table')
    tls = table.get("tls", False)
    if not isinstance(tls, bool):
        raise TypeError(f'gateways."{name}".tls: expected true or false')
    others = {key: value for key, value in table.items() if key != "tls"}
    return Gateway(_addresses(kube, f'gateways."{name}"', others, namespace), tls)


def _addresses(kube: Kube, place: str, table: Mapping[str, Any], namespace: str) -> Addresses:
    match dict(table):
        case {"addresses": [*found], **rest} if found and not rest and all(map(_is_address, found)):
            return Fixed(tuple(found))
        case {"pods": str(selector), "port": int(port), **rest} if rest.keys() <= {"namespace"}:
            return Pods(kube, str(rest.get("namespace", namespace)), selector, port)
    raise TypeError(f'{place}: expected addresses = ["HOST:PORT", ...], or pods = "LABEL=VALUE" and port = NUMBER')


def _is_address(text: object) -> bool:
    host, separator, port = str(text).rpartition(":")
    return isinstance(text, str) and bool(host and separator) and port.isdigit()
