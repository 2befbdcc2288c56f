"""Where sidecars send their spans: what a tracing provider of Zipkin's kind is, as a Service of the mesh."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from delivery.adapters.kube.objects import path
from tests.cluster import objects
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.istiod import NAMESPACE, TRACES, TRACES_PORT


class Collector(ThreadingHTTPServer):
    """Keeps every span, the oldest first."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), _Answer)
        self.spans: list[dict[str, Any]] = []

    def tags(self, pod: str) -> list[dict[str, str]]:
        """The tags of each span of the sidecars of pods whose names begin so."""
        return [span["tags"] for span in list(self.spans) if f"~{pod}" in span["tags"]["node_id"]]


class _Answer(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.spans.extend(json.loads(b"".join(self._chunks())))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def _chunks(self) -> Iterator[bytes]:
        """Of the body: Envoy says no length before it."""
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def collecting(cluster: Cluster) -> Iterator[Collector]:
    """The provider that istiod knows as TRACES, for as long as the block runs."""
    with Collector(cluster.network.host) as collector:
        thread = threading.Thread(target=collector.serve_forever, args=(0.05,))
        thread.start()
        service, endpoints = _service(), _endpoints(cluster.network.host, collector.server_port)
        try:
            for body in (service, endpoints):
                cluster.api.create(body)
            yield collector
        finally:
            for body in (endpoints, service):
                cluster.api.delete(path(body["apiVersion"], body["kind"], NAMESPACE, TRACES))
            collector.shutdown()
            thread.join()


def _service() -> dict[str, Any]:
    found = objects.service(NAMESPACE, TRACES)
    found["spec"] = {"ports": [{"name": "http", "port": TRACES_PORT}]}
    return found


def _endpoints(address: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": TRACES, "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": TRACES}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }
