"""How a route can be confirmed here: the gateways that carry it, as the server's configuration names them."""

from collections.abc import Iterator, Sequence

from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import ISTIO, Document, path
from delivery.model.finding import Finding, Weight
from delivery.ports.errors import PortError

MESH = "mesh"
_DEBUG = (
    "sidecars carry the route too: whether they run it is asked of istiod, which answers other namespaces than its own "
    "only if its environment DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES names the worker's; else it counts as settled, "
    "which is unproven"
)


def settings(kube: Kube, edited: Sequence[Document]) -> tuple[str, list[Finding]]:
    """Lines for `[clusters.NAME]` of the server's configuration, and what level of confirmation they make possible."""
    lines: list[str] = []
    findings: list[Finding] = []
    names = sorted({gateway for one in edited for gateway in _gateways(one)})
    for name in (name for name in names if name != MESH):
        try:
            lines.append(_line(kube.get(path(ISTIO, "Gateway", *name.split("/"))), name))
            findings.append(Finding(Weight.SAYS, f"Gateway {name}", "each of its pods can be asked: level probed"))
        except Absent:
            text = "a VirtualService names it and it is not there: no request comes that way"
            findings.append(Finding(Weight.WARNS, f"Gateway {name}", text))
        except PortError as error:
            findings.append(Finding(Weight.WARNS, f"Gateway {name}", f"it could not be read: {error}"))
    if MESH in names:
        findings.append(Finding(Weight.SAYS, "istiod", _DEBUG))
        lines.append("istiod = {}")
    return "\n".join(lines), findings


def _gateways(found: Document) -> Iterator[str]:
    namespace = found["metadata"]["namespace"]
    for name in (found.get("spec") or {}).get("gateways") or [MESH]:
        yield name if name == MESH or "/" in name else f"{namespace}/{name}"


def _line(gateway: Document, name: str) -> str:
    spec = gateway["spec"]
    pods = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    port = next((server["port"]["number"] for server in spec.get("servers") or ()), 8080)
    return f'gateways."{name}" = {{ pods = "{pods}", port = {port} }}  # the port that its pods listen on'
