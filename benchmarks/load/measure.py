"""One window of a load: how late, how much of the processors, how much memory."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import intake
from benchmarks.figure import quantile
from benchmarks.load.stage import Stage
from benchmarks.say import Say

MIB = 2**20
CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Row:
    """`wanted` and `ticks` are a second. CPU is microseconds of a tick; `cores` how many all of it took. `pss` and
    `rss` are MiB of our processes. Lateness is seconds, `p99` of `turns` turns.
    """

    name: str
    releases: int
    workers: int
    wanted: float
    ticks: float
    turns: int
    p50: float
    p99: float
    worst: float
    ours: float
    postgres: float
    cores: float
    redis_cores: float
    api_cores: float
    pss: float
    rss: float


@dataclass(frozen=True, slots=True)
class Intake:
    """Webhooks a second, and milliseconds from when each was due to its answer; `refused` got another than 202."""

    offered: float
    answered: float
    refused: int
    p50: float
    p99: float
    api_us: float
    sender_cores: float


def window(name: str, stage: Stage, seconds: float, beside: Callable[[], Any] = lambda: None) -> tuple[Row, Any]:
    """What happens within so many seconds, while `beside` runs, if anything does; and what that returns."""
    stage.check()
    before, begun = stage.reading(), time.monotonic()
    found = beside()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    after = stage.reading()
    stage.check()
    took, number = after.at - before.at, max(1, after.ticks - before.ticks)
    workers, api = after.workers - before.workers, after.api - before.api
    database, redis = after.postgres - before.postgres, after.redis - before.redis
    late = stage.lateness(before.at, after.at)
    seen = late or [0.0]
    rss, pss = stage.memory()
    row = Row(
        name, stage.releases, len(stage.workers), stage.releases / stage.every, number / took, len(late),
        quantile(seen, 0.5), quantile(seen, 0.99), max(seen), workers / number * 1e6, database / number * 1e6,
        (workers + api + database + redis) / took, redis / took, api / took, pss / MIB, rss / MIB,
    )  # fmt: skip
    return row, found


def webhooks(stage: Stage, rate: float, seconds: float, series: int) -> Intake:
    """Signed release events, each for a service where one waits already. Each call has a `series` of its own."""
    path = stage.folder / "requests"
    with path.open("wb") as file:
        for number in range(int(rate * seconds)):
            body = intake.request(stage.port, series, number)
            file.write(len(body).to_bytes(4) + body)
    command = [sys.executable, "-m", "benchmarks.sender", str(stage.port), str(path), str(CONNECTIONS), str(seconds)]
    api = stage.reading().api
    done = subprocess.run([*command, str(rate)], capture_output=True, text=True, check=True, timeout=seconds * 4 + 30)
    found = json.loads(done.stdout)
    refused = sum(number for status, number in found["statuses"].items() if status != "202")
    answers = [1000 * one for one in found["answers"]]
    took = (stage.reading().api - api) / len(answers) * 1e6
    cores = found["cpu"] / found["seconds"]
    return Intake(
        rate, len(answers) / found["seconds"], refused, quantile(answers, 0.5), quantile(answers, 0.99), took, cores
    )  # fmt: skip


def told(row: Row, say: Say) -> None:
    say(
        f"{row.name}: {row.ticks:,.0f} of {row.wanted:,.0f} ticks/s, late p50 {row.p50:.3f} p99 {row.p99:.3f} s, CPU of"
        f" a tick {row.ours:.0f} us and {row.postgres:.0f} us of PostgreSQL, {row.cores:.2f} cores, {row.pss:.0f} MiB"
    )
