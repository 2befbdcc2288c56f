"""Sends prepared requests over kept connections, each as soon as the one before is answered; a process of its own.

`python -m benchmarks.sender PORT FILE CONNECTIONS SECONDS`: FILE has requests as they go over the wire, each after its
length in 4 bytes. Prints JSON: how long it took, the statuses, and the seconds of every answer.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """One request after the other until none is left or the time is over."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self.over = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()
        self._requests = requests
        self._until = until
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(LENGTH)[2].split(b"\r\n", 1)[0]):
            return
        self.seconds.append(time.monotonic() - self._sent)
        self.statuses[head.split(b" ", 2)[1].decode()] += 1
        self._buffer = b""
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None) if time.monotonic() < self._until else None
        if request is None:
            self._transport.close()
            return
        self._sent = time.monotonic()
        self._transport.write(request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(exc)


def stored(path: Path) -> Iterator[bytes]:
    data, place = path.read_bytes(), 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        yield data[place + 4 : place + 4 + length]
        place += 4 + length


async def send(port: int, path: Path, connections: int, seconds: float) -> dict[str, object]:
    requests = iter(list(stored(path)))
    begun = time.monotonic()
    opened = [
        (await asyncio.get_running_loop().create_connection(
            lambda: Connection(requests, begun + seconds), "127.0.0.1", port
        ))[1]
        for _ in range(connections)
    ]  # fmt: skip
    lost = [error for connection in opened if (error := await connection.over) is not None]
    if lost:
        raise SystemExit(f"connections were lost: {lost}")
    return {
        "seconds": time.monotonic() - begun,
        "statuses": dict(sum((connection.statuses for connection in opened), Counter[str]())),
        "answers": [second for connection in opened for second in connection.seconds],
    }


if __name__ == "__main__":
    arguments = sys.argv[1:]
    found = asyncio.run(send(int(arguments[0]), Path(arguments[1]), int(arguments[2]), float(arguments[3])))
    json.dump(found, sys.stdout)
