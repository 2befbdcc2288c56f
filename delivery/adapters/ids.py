"""Names that nothing else has: ULIDs for releases, one name for each life of a worker process."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

from delivery.model.ids import ReleaseId

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_RANDOM_BITS = 80
_LENGTH = 26


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class UlidIds:
    """Ids of one process rise strictly, also within a millisecond and when the clock goes back (ULID, monotonic).

    `apart`: names of people are stored apart from what is hashed.
    """

    def __init__(
        self,
        milliseconds: Callable[[], int] = _milliseconds,
        randbits: Callable[[int], int] = secrets.randbits,
        *,
        apart: bool = True,
    ) -> None:
        self._apart = apart
        self._milliseconds = milliseconds
        self._randbits = randbits
        self._last = 0
        self._lock = threading.Lock()
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def release(self) -> ReleaseId:
        with self._lock:
            fresh = self._milliseconds() << _RANDOM_BITS | self._randbits(_RANDOM_BITS)
            same_or_past = fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS
            self._last = self._last + 1 if same_or_past else fresh
            return ReleaseId(f"rel_{_encode(self._last)}")

    def salt(self) -> str:
        return secrets.token_hex(16) if self._apart else ""

    def owner(self) -> str:
        return self._owner


def _encode(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
