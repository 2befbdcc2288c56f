"""Asks Envoy itself whether it would take a configuration, before it is put into force.

A running Envoy says why it rejected a file in its log only; `--mode validate` says it here, in about 60 ms.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delivery.adapters.mesh.envoy.clusters import TYPE, Cluster
from delivery.adapters.mesh.envoy.files import ROUTE_CONFIG, Document
from delivery.adapters.mesh.envoy.filters import authentication, chain
from delivery.ports.errors import Refused, Unavailable

SECONDS = 10.0
_MANAGER = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


class Validator:
    """`envoy` is the path of the binary."""

    def __init__(self, envoy: str) -> None:
        self._envoy = envoy

    def check(
        self, sections: list[Document], clusters: list[Cluster], providers: Mapping[str, Any] | None = None
    ) -> None:
        """Raises Refused with Envoy's words. A route to a cluster that is not there is refused too."""
        try:
            with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
                json.dump(_bootstrap(sections, clusters, providers or {}), file)
                file.flush()
                self._run(Path(file.name))
        except OSError as error:
            raise Unavailable(f"a route cannot be validated: {error.strerror}") from error

    def _run(self, path: Path) -> None:
        command = [self._envoy, "--mode", "validate", "-c", str(path), "--log-level", "critical", "--log-format", "%v"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"envoy --mode validate did not end within {SECONDS:g} s") from error
        except OSError as error:
            raise Unavailable(f"Envoy cannot be started to validate a route: {error}") from error
        if done.returncode < 0:
            raise Unavailable(f"envoy --mode validate was ended by signal {-done.returncode}")
        if done.returncode:
            raise Refused(_words(done.stderr, path))


def _words(stderr: str, path: Path) -> str:
    """Envoy's reason without the name of a file that is gone."""
    text = " ".join(stderr.split())
    return text.split(f"'{path}': ", 1)[-1] or "Envoy refused the configuration and gave no reason"


def _bootstrap(sections: list[Document], clusters: list[Cluster], providers: Mapping[str, Any]) -> Mapping[str, Any]:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "validate",
        "http_filters": chain({"typed_config": authentication(providers)}),
        "route_config": {"name": ROUTE_CONFIG, "virtual_hosts": sections},
    }
    listener = {
        "name": "validate",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    plain = [{key: value for key, value in cluster.items() if key != "@type"} for cluster in clusters]
    return {
        "node": {"id": "validate", "cluster": "delivery"},
        "static_resources": {"clusters": plain, "listeners": [listener]},
    }
