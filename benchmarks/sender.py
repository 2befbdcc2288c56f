"""Sends prepared requests over kept connections; a process of its own.

`python -m benchmarks.sender PORT FILE CONNECTIONS SECONDS [RATE]`: FILE has requests as they go over the wire, each
after its length in 4 bytes. With a rate so many are due in each second, and how long an answer took is counted from
when its request was due, sent or not; without one each is sent as soon as the one before is answered.
Prints JSON: how long it took, the statuses, the seconds of every answer, and the CPU seconds that all this took.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """One request after the other until none is left or the time is over."""

    def __init__(self, requests: Iterator[bytes], times: Iterator[float], until: float) -> None:
        self.over = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []
        self.statuses: Counter[str] = Counter()
        self._requests = requests
        self._times = times
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
        at = next(self._times)
        request = next(self._requests, None) if at < self._until else None
        if request is None:
            self._transport.close()
            return
        self._sent = at
        early = at - time.monotonic()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self._transport.write, request)
        else:
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


def moments(begun: float, rate: float | None) -> Iterator[float]:
    """When each request is due: evenly at this rate, or now."""
    for number in count():
        yield time.monotonic() if rate is None else begun + number / rate


async def send(port: int, path: Path, connections: int, seconds: float, rate: float | None) -> dict[str, object]:
    requests = iter(list(stored(path)))
    begun = time.monotonic()
    times = moments(begun, rate)
    opened = [
        (await asyncio.get_running_loop().create_connection(
            lambda: Connection(requests, times, begun + seconds), "127.0.0.1", port
        ))[1]
        for _ in range(connections)
    ]  # fmt: skip
    lost = [error for connection in opened if (error := await connection.over) is not None]
    if lost:
        raise SystemExit(f"connections were lost: {lost}")
    return {
        "seconds": time.monotonic() - begun,
        "statuses": dict(sum((connection.statuses for connection in opened), Counter[str]())),
        "cpu": time.process_time(),
        "answers": [second for connection in opened for second in connection.seconds],
    }


if __name__ == "__main__":
    port, path, connections, seconds, *rate = sys.argv[1:]
    wanted = float(rate[0]) if rate else None
    found = asyncio.run(send(int(port), Path(path), int(connections), float(seconds), wanted))
    json.dump(found, sys.stdout)
