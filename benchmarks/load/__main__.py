"""Production's load: `make bench ARGS="load"`. On a quiet machine, about a quarter of an hour.

Many releases that bake, on PostgreSQL and Redis, with Celery workers and the API as processes of their own.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import SubprocessError

from benchmarks import intake, report
from benchmarks.load import lifetime
from benchmarks.load.measure import Intake, Row, told, webhooks, window
from benchmarks.load.stage import Stage, stage
from benchmarks.load.table import Found, document, drawn, tables
from benchmarks.say import Say, progress
from delivery.adapters.telemetry import logs


@dataclass(frozen=True, slots=True)
class Course:
    """`growth` is measured with one worker, its last step also with each of `workers`, then with webhooks beside, and
    last each of `ceiling`, both with `most` workers. `together` share the life that is counted.

    In seconds: `every` a tick, a window, and how long releases may take to come to bake.
    """

    growth: tuple[int, ...] = (100, 300, 1_000, 3_000, 10_000)
    workers: tuple[int, ...] = (2, 4)
    ceiling: tuple[int, ...] = (15_000, 20_000)
    most: int = 2
    every: int = 10
    window: float = 30.0
    rates: tuple[float, ...] = (250.0, 500.0, 1_000.0)
    together: int = 100
    within: float = 300.0


QUICK = Course(
    growth=(20, 60), workers=(2,), ceiling=(80,), every=1, window=3.0, rates=(60.0,), within=60.0, together=10
)


def run(course: Course, say: Say) -> Found:
    """Raises RuntimeError where a process ended."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, stage(Path(folder), course.every) as made:
        growth = _growth(made, course, say)
        workers = [_with(number, made, course, say) for number in course.workers]
        intake_beside = _webhooks(made, course, say)
        ceiling = _ceiling(made, course, say)
    return Found(growth, workers, intake_beside, ceiling, lifetime.lives(course.together, say), course is QUICK)


def _growth(made: Stage, course: Course, say: Say) -> list[Row]:
    made.employ(1)
    return _grown(course.growth, "1 worker", made, course, say)


def _with(workers: int, made: Stage, course: Course, say: Say) -> Row:
    made.employ(workers)
    return _settled(f"{made.releases} releases, {workers} workers", made, course, say)


def _ceiling(made: Stage, course: Course, say: Say) -> list[Row]:
    made.employ(course.most)
    return _grown(course.ceiling, f"{course.most} workers", made, course, say)


def _grown(numbers: Sequence[int], who: str, made: Stage, course: Course, say: Say) -> list[Row]:
    """As far as it goes: where releases do not come to bake in time, what was measured before stands."""
    rows = []
    for number in numbers:
        try:
            made.grow(number, course.within)
        except RuntimeError as error:
            say(f"{number} releases: {error}")
            break
        rows.append(_settled(f"{number} releases, {who}", made, course, say))
    return rows


def _settled(name: str, made: Stage, course: Course, say: Say) -> Row:
    """Measured once every release had a tick or two as things are now."""
    made.settle()
    row, _ = window(name, made, course.window)
    told(row, say)
    return row


def _webhooks(made: Stage, course: Course, say: Say) -> list[tuple[Row, Intake]]:
    made.employ(course.most)
    intake.apply(made.wired.ledger)
    webhooks(made, intake.SERVICES, 1.0, 0)  # so that one waits in each service
    made.settle()
    found = []
    for series, rate in enumerate(course.rates, start=1):
        name = f"{made.releases} releases, {course.most} workers, {rate:.0f} webhooks/s"
        try:
            row, taken = window(name, made, course.window, partial(webhooks, made, rate, course.window, series))
        except SubprocessError as error:  # hopelessly behind: the rates before it stand
            say(f"{name}: {error}")
            break
        told(row, say)
        say(f"{name}: {taken.answered:,.0f}/s answered, p99 {taken.p99:,.0f} ms, API {taken.api_us:,.0f} us each")
        found.append((row, taken))
    return found


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="everything in small: about a minute, and no figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write it as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables to a file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw what a tick costs by how many there are")
    options = parser.parse_args(arguments)
    logs.configure("bench", level="WARNING")
    around, found = report.circumstances(), run(QUICK if options.quick else Course(), progress())
    text = f"{report.head(around)}\n\n{tables(found)}"
    print(f"\n{text}")
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        options.json.write_text(document(around, found))
    if options.plot:
        options.plot.write_text(drawn(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
