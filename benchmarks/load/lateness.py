"""How late each turn was, kept by the workers that are measured: the buckets of the metric are too wide for a p99."""

import os
import struct
import time
from pathlib import Path

from delivery.wiring import Wired

FILE = "BENCH_LATENESS"
"""The environment variable that names the file."""
_RECORD = struct.Struct("<dd")  # when it was seen, by this machine, and how late, by the database's clock: seconds


def record(wired: Wired) -> None:
    """From now on every value that goes into the metric is written down, too."""
    path, telemetry = os.environ[FILE], wired.telemetry
    file, observe = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), telemetry.observe

    def noting(metric: str, value: float, **labels: str) -> None:
        if metric == "lateness":
            os.write(file, _RECORD.pack(time.time(), value))
        observe(metric, value, **labels)

    telemetry.observe = noting  # type: ignore[method-assign]


def between(path: Path, since: float, until: float) -> list[float]:
    """Seconds from due to claimed of each turn that was seen in between."""
    return [late for at, late in _RECORD.iter_unpack(path.read_bytes()) if since <= at < until]
