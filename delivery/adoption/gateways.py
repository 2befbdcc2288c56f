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
_UNASKABLE = (
    "each of its servers wants a certificate of its callers, or passes TLS on: its pods are not asked, and what they "
    "acknowledged to istiod counts; leave it out of `gateways`"
)


def settings(kube: Kube, edited: Sequence[Document]) -> tuple[str, list[Finding]]:
    """Lines for `[clusters.NAME]` of the server's configuration, and what level of confirmation they make possible."""
    lines: list[str] = []
    findings: list[Finding] = []
    names = sorted({gateway for one in edited for gateway in _gateways(one)})
    for name in (name for name in names if name != MESH):
        try:
            gateway = kube.get(path(ISTIO, "Gateway", *name.split("/")))
            server = _askable(gateway)
            lines += [_line(gateway, name, server)] if server else []
            told = "each of its pods can be asked: level probed" if server else _UNASKABLE
            findings.append(Finding(Weight.SAYS, f"Gateway {name}", told))
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


def _line(gateway: Document, name: str, server: Document) -> str:
    pods = ",".join(f"{key}={value}" for key, value in sorted((gateway["spec"].get("selector") or {}).items()))
    tls = ", tls = true" if _ends_tls(server) else ""
    port = server["port"]["number"]
    return f'gateways."{name}" = {{ pods = "{pods}", port = {port}{tls} }}  # the port that its pods listen on'


def _askable(gateway: Document) -> Document | None:
    """A server of it that answers a plain request, else one that ends TLS without asking who calls."""
    servers = gateway["spec"].get("servers") or ()
    plain = (one for one in servers if _is_http(one) and not (one.get("tls") or {}).get("httpsRedirect"))
    return next(plain, None) or next(filter(_ends_tls, servers), None)


def _is_http(server: Document) -> bool:
    return server["port"]["protocol"].upper() in ("HTTP", "HTTP2", "GRPC")


def _ends_tls(server: Document) -> bool:
    """Whether it takes any client: one that wants a certificate would not answer us, one that passes TLS on cannot."""
    mode = (server.get("tls") or {}).get("mode")
    return server["port"]["protocol"].upper() == "HTTPS" and mode in ("SIMPLE", "OPTIONAL_MUTUAL")
