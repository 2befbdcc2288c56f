"""What Envoy is started with. Pure."""

from pathlib import Path
from typing import Any

from delivery.adapters.mesh.envoy.clusters import TYPE
from delivery.adapters.mesh.envoy.files import CLUSTERS, ROUTE_CONFIG, ROUTES, TOKENS, Files
from delivery.adapters.mesh.envoy.filters import JWT_TYPE, chain

STAT_PREFIX = "front"
"""What the listener's own counters begin with: `http.front.`."""
BUCKETS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
_MANAGER = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def bootstrap(files: Files, socket: str, port: int, flush: str) -> dict[str, Any]:
    """`socket` is the admin interface's; `flush` is how often counters and histograms are merged, as "0.5s"."""
    buckets = {"match": {"suffix": "upstream_rq_time"}, "buckets": list(BUCKETS_MS)}
    return {
        "node": {"id": "local", "cluster": "delivery"},
        "admin": {"address": {"pipe": {"path": socket, "mode": 0o600}}},
        "stats_flush_interval": flush,
        "stats_config": {"histogram_bucket_settings": [buckets]},
        "dynamic_resources": {"cds_config": _watched(files, CLUSTERS)},
        "static_resources": {"listeners": [_listener(files, port)]},
    }


def _listener(files: Files, port: int) -> dict[str, Any]:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": STAT_PREFIX,
        "codec_type": "HTTP1",
        "rds": {"route_config_name": ROUTE_CONFIG, "config_source": _watched(files, ROUTES)},
        "http_filters": chain(
            {"config_discovery": {"config_source": _watched(files, TOKENS), "type_urls": [JWT_TYPE]}}
        ),
    }
    return {
        "name": STAT_PREFIX,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "enable_reuse_port": False,  # or an Envoy that was left over shares the port in silence
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _watched(files: Files, kind: str) -> dict[str, Any]:
    path = files.path(kind).resolve()
    source = {"path": str(path), "watched_directory": {"path": str(Path(path).parent)}}
    return {"resource_api_version": "V3", "path_config_source": source}
