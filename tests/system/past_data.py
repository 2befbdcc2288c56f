"""A past for Prometheus: blocks made by promtool from what two services of a shop would have told."""

import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.cluster.testbed.process import CannotRun

STEP = 15


@dataclass(frozen=True)
class Service:
    """Requests a second and share of errors of each pod; `burst` errors come together. `gap`: a share of the time in
    the middle in which nothing was scraped."""

    name: str
    rps: float
    errors: float
    burst: int = 1
    pods: int = 2
    slow: float = 0.02
    gap: float = 0.0
    restarts: bool = False


def lines(services: list[Service], start: int, end: int, seed: int = 1) -> Iterator[str]:
    """OpenMetrics text, oldest first for each series."""
    rng = Random(seed)
    totals: list[str] = []
    buckets: list[str] = []
    for service in services:
        for pod in range(service.pods):
            ok = failed = slow = 0
            labels = f'service="{service.name}",instance="{service.name}-{pod}:80",version="1.4.1"'
            for at in range(start, end, STEP):
                if service.restarts and pod == 0 and at == start + (end - start) // STEP // 3 * STEP:
                    ok = failed = slow = 0
                requests = max(0, round(rng.gauss(service.rps * STEP, math.sqrt(service.rps * STEP))))
                mean = requests * service.errors / service.burst
                bad = min(requests, service.burst * _poisson(rng, mean))
                ok, failed = ok + requests - bad, failed + bad
                slow += (
                    sum(rng.random() < service.slow for _ in range(requests))
                    if requests < 50
                    else round(requests * service.slow)
                )
                if abs((at - start) / (end - start) - 0.5) < service.gap / 2:
                    continue
                totals.append(f'http_requests_total{{{labels},code="200"}} {ok} {at}')
                if failed:
                    totals.append(f'http_requests_total{{{labels},code="503"}} {failed} {at}')
                buckets.append(f'http_request_duration_seconds_bucket{{{labels},le="0.5"}} {ok + failed - slow} {at}')
                buckets.append(f'http_request_duration_seconds_bucket{{{labels},le="+Inf"}} {ok + failed} {at}')
    yield "# TYPE http_requests counter"
    yield from totals
    yield "# TYPE http_request_duration_seconds histogram"
    yield from buckets
    yield "# EOF"


def _poisson(rng: Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def make_blocks(folder: Path, services: list[Service], start: int, end: int) -> None:
    """Puts the past into `folder`, where Prometheus will look for its data."""
    promtool = shutil.which("promtool")
    if promtool is None:
        raise CannotRun("there is no promtool; on Debian or Ubuntu: apt-get install --no-install-recommends prometheus")
    text = folder.parent / "past.om"
    text.write_text("\n".join(lines(services, start, end)) + "\n")
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if made.returncode:
        raise CannotRun(f"promtool: {made.stderr[-500:]}")
    text.unlink()
