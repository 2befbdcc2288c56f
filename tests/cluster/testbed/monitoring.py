"""What the testbed's Prometheus scrapes: the gateway's Envoy, istiod, and every pod.

Debian's Prometheus is built without the discovery of Kubernetes, so the node writes a file of its pods. Their labels
are as most installations have them: namespace, pod, app, version.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from delivery.sandbox.ports import HOST

GATEWAY, ISTIOD, PODS = "gateway", "istiod", "pods"
"""The jobs."""


def jobs(pods: Path, gateway_admin: int, istiod_debug: int) -> tuple[dict[str, Any], ...]:
    """Scrape configurations. `pods` is the node's file; the ports: the gateway's admin interface, istiod's metrics."""
    return (
        {"job_name": GATEWAY, "metrics_path": "/stats/prometheus", "static_configs": [_at(gateway_admin)]},
        {"job_name": ISTIOD, "static_configs": [_at(istiod_debug)]},
        {"job_name": PODS, "file_sd_configs": [{"files": [str(pods)]}]},
    )


def target(pod: Mapping[str, Any], address: str, port: int) -> dict[str, Any]:
    """A pod, as `jobs` reads it from the file."""
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    ours = {"namespace": metadata["namespace"], "pod": metadata["name"]}
    return {
        "targets": [f"{address}:{port}"],
        "labels": ours | {name: labels[name] for name in ("app", "version") if name in labels},
    }


def write_targets(path: Path, targets: Iterable[Mapping[str, Any]]) -> None:
    """Whole or not at all: Prometheus reads it meanwhile."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps([*targets]))
    new.replace(path)


def _at(port: int) -> dict[str, Any]:
    return {"targets": [f"{HOST}:{port}"]}
