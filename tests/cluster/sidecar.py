"""A client's sidecar in the pods' network: a real Envoy that istiod configures, and requests through it.

Without interception: it listens on loopback of that network for every HTTP port of the mesh's Services.
"""

import contextlib
import json
import select
import socket
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from delivery.sandbox.envoy import find_envoy
from delivery.sandbox.ports import HOST
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.gateway import bootstrap
from tests.cluster.testbed.process import Process

_ASK = """
import collections, http.client, json, sys
counts, connection = collections.Counter(), http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
for _ in range(int(sys.argv[2])):
    connection.request("GET", "/", headers={"host": sys.argv[1]})
    answer = connection.getresponse()
    answer.read()
    counts[answer.headers.get("x-version") or str(answer.status)] += 1
print(json.dumps(counts))
"""


class Sidecar:
    """`name` is what istiod calls it."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path, xds: int) -> None:
        self.name = f"client.{namespace}"
        self._cluster = cluster
        found = bootstrap(15000, xds)
        address = f"{cluster.network.subnet}.3"  # nobody's: istiod looks proxies up by it
        found["node"]["id"] = f"sidecar~{address}~{self.name}~{namespace}.svc.cluster.local"
        found["node"]["metadata"] |= {"NAMESPACE": namespace, "INTERCEPTION_MODE": "NONE", "LABELS": {"app": "client"}}
        (istiod,) = found["static_resources"]["clusters"]
        endpoint = istiod["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"]["address"] = cluster.network.host
        path = folder / "sidecar.json"
        path.write_text(json.dumps(found))
        options = ("--disable-hot-restart", "--log-level", "warning", "--concurrency", "1")
        command = cluster.network.inside([find_envoy(), "-c", str(path), *options])
        self.process = Process("sidecar", command, folder / "sidecar.log")

    def send(self, host: str, requests: int) -> Counter[str]:
        """The versions that answered, one request after the other; any other answer by its status."""
        command = self._cluster.network.inside([sys.executable, "-c", _ASK, host, str(requests)])
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return Counter(json.loads(done.stdout)) if done.returncode == 0 else Counter()


@contextlib.contextmanager
def running(cluster: Cluster, namespace: str, folder: Path, xds: int | None = None) -> Iterator[Sidecar]:
    """A sidecar for as long as the block runs; of the istiod that serves proxies at `xds`, if not of the first."""
    with forwarding(cluster.network.host, xds or cluster.istiod.xds) as port:
        sidecar = Sidecar(cluster, namespace, folder, port)
        try:
            yield sidecar
        finally:
            sidecar.process.kill()


class _Forwarder(socketserver.ThreadingTCPServer):
    """istiod listens for proxies on our loopback alone."""

    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, 0), _Connection)
        self.upstream = (HOST, port)
        self.ending = threading.Event()


class _Connection(socketserver.BaseRequestHandler):
    server: _Forwarder

    def handle(self) -> None:
        with socket.create_connection(self.server.upstream) as upstream, contextlib.suppress(OSError):
            ends = {self.request: upstream, upstream: self.request}
            while not self.server.ending.is_set():
                for ready in select.select(list(ends), [], [], 0.1)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    ends[ready].sendall(data)


@contextlib.contextmanager
def forwarding(address: str, port: int) -> Iterator[int]:
    with _Forwarder(address, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()
