"""Loopback ports that nobody listens on."""

import random
import socket
from collections.abc import Collection

HOST = "127.0.0.1"
RANGE = (10240, 32768)
"""Below what systems give to outgoing connections: one of those would take a port between the look and the start."""


def is_free(port: int) -> bool:
    """Whether somebody could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what servers do: a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(preferred: int = 0, taken: Collection[int] = ()) -> int:
    """`preferred` where it is free, else another one that is not in `taken`. Somebody else may still take it first."""
    if preferred and preferred not in taken and is_free(preferred):
        return preferred
    return next(port for port in iter(_any, None) if port not in taken and is_free(port))


def _any() -> int:
    return random.randrange(*RANGE)
