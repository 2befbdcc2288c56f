"""A candidate that crashes in silence is told with the last line of its log, which the node keeps."""

import http.server
import ssl
import threading
from collections.abc import Iterator

import pytest

from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.sandbox.ports import HOST
from tests.cluster.shop import NEW, TARGET, Shop
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.node import NAME as NODE


class Kubelet(http.server.BaseHTTPRequestHandler):
    """Has a log for the last run of every container, and none for the one that is not there yet."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        text = b"fatal: out of heap\n" if "previous=true" in self.path else b""
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: pytest's output is for people."""


@pytest.fixture
def kubelet(cluster: Cluster) -> Iterator[list[str]]:
    """Answers about logs for the node of the testbed, which has no kubelet; the paths that were asked."""
    asked: list[str] = []
    handler = type("Handler", (Kubelet,), {"asked": asked})
    server = http.server.ThreadingHTTPServer((HOST, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.certificates.certificate, cluster.certificates.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    where = path("v1", "Node", name=NODE)
    before = cluster.api.get(where)["status"]["addresses"]
    reached = {"kubeletEndpoint": {"Port": server.server_address[1]}}
    address = [{"type": "InternalIP", "address": HOST}]
    cluster.api.patch(f"{where}/status", {"status": {"addresses": address, "daemonEndpoints": reached}})
    yield asked
    cluster.api.patch(f"{where}/status", {"status": {"addresses": before, "daemonEndpoints": None}})
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_last_line_of_its_log_is_told(cluster: Cluster, namespace: str, kubelet: list[str]) -> None:
    shop = Shop(cluster, namespace)
    shop.deploy(annotations={"crash-after": "0"})
    workloads = KubernetesWorkloads(shop.kube, [namespace])
    told: list[str] = []

    def failing() -> bool:
        told.append(workloads.ensure(TARGET, shop.workload, NEW).failing or "")
        return bool(told[-1])

    shop.until(failing)
    assert told[-1].endswith("it crashed 3 times, exit code 1: fatal: out of heap")
    assert "/checkout?" in kubelet[0]
    assert "tailLines=1" in kubelet[0]
    shop.kube.close()
