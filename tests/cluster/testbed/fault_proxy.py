"""A proxy before the API server, TLS on both sides, that fails as it is told and counts what is asked of it."""

import contextlib
import http.client
import http.server
import json
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from delivery.sandbox.ports import HOST
from tests.cluster.testbed.certificates import Certificates
from tests.cluster.testbed.faults import Answer, Held, Lost, Mute, Script, Slow, verb_of

LOOK_SECONDS = 0.05
CONNECT_SECONDS = 5.0
WATCH_SECONDS = 600.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class FaultProxy(http.server.ThreadingHTTPServer):
    """`script` says what it does and what it saw; `url` is where it listens."""

    daemon_threads = False  # closing waits for them
    request_queue_size = 128

    def __init__(self, upstream: str, certificates: Certificates) -> None:
        super().__init__((HOST, 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        # The handshake is made in the connection's own thread: a slow one holds up nobody.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://{HOST}:{self.server_port}"
        self.script = Script()
        self.closing = threading.Event()
        self._upstream = urlsplit(upstream)
        self._trust = ssl.create_default_context(cafile=str(certificates.authority))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def connect(self) -> http.client.HTTPSConnection:
        """A connection to the API server."""
        connection = http.client.HTTPSConnection(
            self._upstream.hostname or "", self._upstream.port, timeout=CONNECT_SECONDS, context=self._trust
        )
        connection.connect()
        connection.sock.settimeout(WATCH_SECONDS)
        self.opened(connection.sock)
        return connection

    def opened(self, connection: socket.socket) -> None:
        """It is cut when the proxy closes."""
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is ordinary here; anything else is printed."""
        if not isinstance(sys.exception(), OSError | http.client.IncompleteRead):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultProxy

    def setup(self) -> None:
        self._upstream: http.client.HTTPSConnection | None = None
        self.request.settimeout(WATCH_SECONDS)
        self.server.opened(self.request)
        super().setup()

    def finish(self) -> None:
        self.server.closed(self.request)
        if self._upstream is not None:
            self.server.closed(self._upstream.sock)
            self._upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """Nothing: `script.seen` has it."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._number, fault = self.server.script.take(verb_of(self.command, self.path), urlsplit(self.path).path)
        match fault:
            case Answer():
                self._answer(fault)
            case Lost(applied, hold):
                if applied:
                    self._ask(body).read()
                self._hold(hold)
                self.close_connection = True
            case Slow(seconds):
                self.server.closing.wait(seconds)  # also for a client that has given up: it comes late, not never
                self._pass_on(body)
            case Held(until):
                self._wait(until)
                self._pass_on(body)
            case Mute(until):
                self._pass_on(body, until)
            case None:
                self._pass_on(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _answer(self, fault: Answer) -> None:
        message = f"fault of the tests: {fault.status}"
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": fault.status}
        text = json.dumps(status).encode()
        self._head(fault.status)
        if fault.retry_after is not None:
            self.send_header("Retry-After", str(fault.retry_after))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _hold(self, seconds: float) -> None:
        """So long, or until the client hangs up or the proxy closes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.server.closing.is_set():
            if select.select([self.connection], [], [], min(left, LOOK_SECONDS))[0]:
                return

    def _ask(self, body: bytes) -> http.client.HTTPResponse:
        if self._upstream is None:
            self._upstream = self.server.connect()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._upstream.request(self.command, self.path, body or None, headers)
        return self._upstream.getresponse()

    def _wait(self, until: threading.Event) -> None:
        while not until.wait(LOOK_SECONDS) and not self.server.closing.is_set():
            pass

    def _pass_on(self, body: bytes, mute: threading.Event | None = None) -> None:
        response = self._ask(body)
        length = response.getheader("content-length")
        self._head(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header(*(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", length)))
        self.end_headers()
        if mute is not None:
            self._wait(mute)
        while part := response.read1(65536):
            self.wfile.write(part if length is not None else b"%x\r\n%b\r\n" % (len(part), part))
        response.close()  # read1 does not see that it is at the end
        if length is None:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int) -> None:
        self.server.script.answered(self._number, status)
        self.send_response_only(status)


@contextlib.contextmanager
def proxying(upstream: str, certificates: Certificates) -> Iterator[FaultProxy]:
    """A proxy before the API server at this URL, until the block ends."""
    proxy = FaultProxy(upstream, certificates)
    thread = threading.Thread(target=proxy.serve_forever, args=(LOOK_SECONDS,), name="fault-proxy")
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def kubeconfig_through(proxy: FaultProxy, kubeconfig: Path, path: Path) -> Path:
    """A copy of a kubeconfig of the testbed that asks the proxy."""
    content = json.loads(kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = proxy.url
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))
    return path
