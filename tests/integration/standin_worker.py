"""A worker whose engine only counts: each drain, send and heartbeat is a line in a file, whole or not there.

Run as `python -m tests.integration.standin_worker FILE NAME [--broker URL] [--takes SECONDS]`.
"""

import argparse
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from delivery.adapters.telemetry import logs
from workers import run


class Journal:
    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, what: str) -> None:
        line = f"{what} {os.getpid()} {threading.current_thread().name.replace(' ', '-')} {time.monotonic():.4f}\n"
        os.write(self._file, line.encode())


class Counting:
    """A drain that has work for `takes` seconds, an outbox and a heart that only count."""

    def __init__(self, journal: Journal, takes: float) -> None:
        self._journal = journal
        self._takes = takes

    def run(self, limit: float = 0.0, /) -> int:
        self._journal.write("drain")
        time.sleep(min(limit, self._takes))
        self._journal.write("drained")
        return 0

    def beat(self, worker: str, detail: str) -> None:
        self._journal.write(f"beat:{worker}:{detail}")


class CountingOutbox:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    lanes = ("",)

    def run(self, lane: str) -> int:
        self._journal.write("send")
        return 0


class Nothing:
    """Nothing is old."""

    def run(self, limit: float, /) -> int:
        return 0


@dataclass(frozen=True)
class StandIn:
    drains: dict[str, Counting]
    rereaders: dict[str, Counting]
    outbox: CountingOutbox
    retention: "Nothing"
    ledger: Counting


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("name")
    parser.add_argument("--broker")
    parser.add_argument("--takes", type=float, default=0.0)
    options = parser.parse_args()
    logs.configure("worker")
    journal = Journal(options.file)
    counting = Counting(journal, options.takes)
    engine = StandIn({"local": counting}, {}, CountingOutbox(journal), Nothing(), counting)
    if options.broker:
        return run.with_broker(options.broker, ["local"], engine, options.name)
    return run.without_broker(["local"], engine, options.name)


if __name__ == "__main__":
    sys.exit(main())
