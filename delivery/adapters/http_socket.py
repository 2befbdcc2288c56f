"""HTTP to a port or to a socket in a folder, which is how Envoy's admin interface is reached."""

import http.client
import socket


def connect(address: str, seconds: float) -> http.client.HTTPConnection:
    """A connection to `HOST:PORT`, or to the path of a Unix socket; `seconds` bound each wait."""
    host, separator, port = address.rpartition(":")
    if separator and port.isdigit():
        return http.client.HTTPConnection(host, int(port), timeout=seconds)
    return _UnixConnection(address, seconds)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
