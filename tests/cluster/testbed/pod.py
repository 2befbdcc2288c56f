"""The container of every pod of the testbed: the demo service, on the pod's own address.

GET /healthz says whether it takes requests, GET /_stats what it has counted: the count on the wire. GET /metrics tells
Prometheus: `http_requests_total{method, code}` and `http_request_duration_seconds`, copies of requests included.
"""

import argparse
import asyncio
import signal
from bisect import bisect_left
from collections import Counter

from delivery.sandbox.demo_service import HEALTH, STATS, Connection, Profile, Server, Service, parse_faults

METRICS = "/metrics"
BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
"""Of the duration's buckets, in seconds."""


class MeteredService(Service):
    """Tells Prometheus what it has counted; looks at health, counters and metrics are not counted."""

    def __init__(self, version: str, profile: Profile) -> None:
        super().__init__(version, profile)
        self._codes: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def answer(self, method: str, path: str, mirrored: bool) -> tuple[int, bytes, float]:
        if path == METRICS:
            return 200, self._exposition().encode(), 0.0
        status, body, seconds = super().answer(method, path, mirrored)
        if path not in (HEALTH, STATS):
            self._codes[method, status] += 1
            self._buckets[bisect_left(BOUNDS, seconds)] += 1
            self._seconds += seconds
        return status, body, seconds

    def _exposition(self) -> str:
        lines = ["# TYPE http_requests_total counter"]
        for (method, status), count in sorted(self._codes.items()):
            lines.append(f'http_requests_total{{method="{method}",code="{status}"}} {count}')
        lines.append("# TYPE http_request_duration_seconds histogram")
        seen = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._buckets, strict=True):
            seen += count
            lines.append(f'http_request_duration_seconds_bucket{{le="{bound}"}} {seen}')
        lines += [f"http_request_duration_seconds_sum {self._seconds}", f"http_request_duration_seconds_count {seen}"]
        return "\n".join(lines) + "\n"


class PodServer(Server):
    """Listens on any address."""

    async def listen(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self.service, self._connections), address, port, backlog=1024
        )


async def _run(service: Service, address: str, port: int) -> None:
    server, ended = PodServer(service), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.listen(address, port)
    await ended.wait()
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--faults", default="", help="as the demo service's, without the version: fail-every=12,...")
    given = parser.parse_args()
    profile = parse_faults(f"{given.version}:{given.faults}")[1] if given.faults else Profile()
    asyncio.run(_run(MeteredService(given.version, profile), given.address, given.port))


if __name__ == "__main__":
    main()
