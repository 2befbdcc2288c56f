"""Prometheus over the local mesh, whose admin interface is a Unix socket, which Prometheus cannot ask by itself."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

from delivery.sandbox.ports import HOST
from tests.prometheus import Prometheus

JOB = "mesh"
SECONDS = 5.0


class _Forward(socketserver.BaseRequestHandler):
    server: "_Forwarder"

    def handle(self) -> None:
        """One request and its answer, after which both sides end."""
        self.request.settimeout(SECONDS)
        with socket.socket(socket.AF_UNIX) as admin, contextlib.suppress(OSError):
            admin.settimeout(SECONDS)
            admin.connect(self.server.path)
            admin.sendall(_closing(self.request))
            while part := admin.recv(65536):
                self.request.sendall(part)


class _Forwarder(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def __init__(self, path: str) -> None:
        super().__init__((HOST, 0), _Forward)
        self.path = path


def _closing(client: socket.socket) -> bytes:
    """A request without a body, made one whose answer ends the connection."""
    head = b""
    while b"\r\n\r\n" not in head and (part := client.recv(65536)):
        head += part
    return head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


@contextlib.contextmanager
def scraping(folder: Path, socket_path: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the Envoy with this admin socket as the job JOB, until the block ends."""
    forwarder = _Forwarder(socket_path)
    thread = threading.Thread(target=forwarder.serve_forever, args=(0.05,))
    thread.start()
    try:
        targets = {"targets": [f"{HOST}:{forwarder.server_address[1]}"]}
        job = {"job_name": JOB, "metrics_path": "/stats/prometheus", "static_configs": [targets]}
        prometheus = Prometheus(folder, [job])
        prometheus.start()
        try:
            yield prometheus
        finally:
            prometheus.stop()
    finally:
        forwarder.shutdown()
        thread.join()
        forwarder.server_close()
