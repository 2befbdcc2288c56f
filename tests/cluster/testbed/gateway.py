"""The ingress gateway: Envoy as its own project builds it, with everything but its bootstrap from istiod over ADS."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from delivery.sandbox.envoy import find_envoy
from delivery.sandbox.ports import HOST, free_port
from tests.cluster.testbed.istiod import CLUSTER, NAMESPACE
from tests.cluster.testbed.process import Process
from tools.cluster_build import ISTIO_VERSION

LABELS = {"istio": "ingressgateway"}
"""What a Gateway object selects it by."""
START_SECONDS = 30.0
# istiod looks proxies up by their address: this one is nobody's.
_NODE = f"router~127.0.0.9~gw-1.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"
# The names that Prometheus' queries and the adapters rely on.
_TAGS = {
    "cluster_name": r"^cluster(\.(.+);)",
    "response_code": r"_rq(_(\d{3}))$",
    "response_code_class": r"_rq(_(\dxx))$",
}


class Gateway:
    """`port` is the one that its Gateway object is to name, with `bind: 127.0.0.1`."""

    def __init__(self, folder: Path, xds: int) -> None:
        self._folder = folder
        self._xds = xds
        self.admin = free_port()
        self.port = free_port(taken=(self.admin,))
        self.process: Process | None = None

    def start(self) -> None:
        """Returns when istiod has configured it."""
        path = self._folder / "envoy.json"
        path.write_text(json.dumps(bootstrap(self.admin, self._xds), indent=1))
        command = [
            find_envoy(),
            "-c",
            str(path),
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--concurrency",
            "1",
        ]
        self.process = Process("envoy", command, self._folder / "envoy.log")
        self.process.wait(lambda: self.state() == "LIVE", START_SECONDS)

    def state(self) -> str:
        try:
            return str(self.get("/server_info")["state"])
        except OSError:
            return ""

    def get(self, path: str) -> Any:
        """What the admin interface answers. Raises OSError."""
        with urllib.request.urlopen(f"http://{HOST}:{self.admin}{path}", timeout=5) as answer:
            return json.load(answer)

    def listens(self) -> bool:
        """Whether a Gateway object has reached it."""
        listeners = self.get("/listeners?format=json").get("listener_statuses", ())
        return any(one["local_address"]["socket_address"]["port_value"] == self.port for one in listeners)

    def weights(self, route: str) -> dict[str, int]:
        """The weights it routes by, of the routes with that name: by cluster, or all to a single one."""
        found: dict[str, int] = {}
        dump = self.get("/config_dump?resource=dynamic_route_configs").get("configs", ())
        for config in dump:
            for host in config["route_config"].get("virtual_hosts", ()):
                for entry in host.get("routes", ()):
                    if entry.get("name") == route:
                        found |= _weights(entry["route"])
        return found

    def rejected(self) -> int:
        """How often it refused what istiod sent; anything but 0 is a defect of the testbed or of the routes."""
        stats = self.get("/stats?format=json&filter=update_rejected$")["stats"]
        return sum(int(stat["value"]) for stat in stats)


def _weights(action: dict[str, Any]) -> dict[str, int]:
    if "cluster" in action:
        return {action["cluster"]: 100}
    return {cluster["name"]: cluster["weight"] for cluster in action["weighted_clusters"]["clusters"]}


def bootstrap(admin: int, xds: int) -> dict[str, Any]:
    """Envoy's bootstrap: an admin port, and istiod for all the rest."""
    metadata = {"NAMESPACE": NAMESPACE, "ISTIO_VERSION": ISTIO_VERSION, "CLUSTER_ID": CLUSTER, "LABELS": LABELS}
    from_istiod = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {
        "@type": f"type.googleapis.com/{options}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": {"socket_address": {"address": HOST, "port_value": xds}}}}
    return {
        "node": {"id": _NODE, "cluster": "ingressgateway", "metadata": metadata},
        "admin": {"address": {"socket_address": {"address": HOST, "port_value": admin}}},
        "dynamic_resources": {
            "lds_config": from_istiod,
            "cds_config": from_istiod,
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
            },
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds-grpc",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {options: http2},
                    "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ]
        },
        "stats_config": {
            "use_all_default_tags": False,
            "stats_tags": [{"tag_name": name, "regex": pattern} for name, pattern in _TAGS.items()],
        },
    }
