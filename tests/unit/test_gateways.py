"""What `check` proposes for the gateways of a route: the server of each that a probe can reach."""

from typing import Any

import pytest

from delivery.adoption import gateways

VIRTUAL_SERVICE = {"metadata": {"namespace": "shop"}, "spec": {"gateways": ["front/public"]}}


class Api:
    """Has one Gateway."""

    def __init__(self, *servers: dict[str, Any]) -> None:
        self._servers = servers

    def get(self, path: str) -> dict[str, Any]:
        assert path.endswith("/namespaces/front/gateways/public")
        return {"spec": {"selector": {"istio": "ingress"}, "servers": list(self._servers)}}


def server(port: int, protocol: str, **tls: Any) -> dict[str, Any]:
    return {"port": {"number": port, "protocol": protocol}, "hosts": ["*"], **({"tls": tls} if tls else {})}


REDIRECTS = server(8080, "HTTP", httpsRedirect=True)
SECURE = server(8443, "HTTPS", mode="SIMPLE", credentialName="front")
MUTUAL = server(8444, "HTTPS", mode="MUTUAL", credentialName="front")
PASSED = server(8445, "TLS", mode="PASSTHROUGH")


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        ((server(8080, "HTTP"), SECURE), "port = 8080 }"),
        ((REDIRECTS, SECURE), "port = 8443, tls = true }"),
        ((MUTUAL, PASSED, SECURE), "port = 8443, tls = true }"),
    ],
)
def test_a_server_that_a_probe_reaches(servers: tuple[dict[str, Any], ...], line: str) -> None:
    text, (finding,) = gateways.settings(Api(*servers), [VIRTUAL_SERVICE])  # type: ignore[arg-type]
    assert text.startswith(f'gateways."front/public" = {{ pods = "istio=ingress", {line}')
    assert "level probed" in finding.text


def test_where_there_is_none_istiod_tells() -> None:
    text, (finding,) = gateways.settings(Api(MUTUAL, PASSED, REDIRECTS), [VIRTUAL_SERVICE])  # type: ignore[arg-type]
    assert text == ""
    assert "leave it out of `gateways`" in finding.text
