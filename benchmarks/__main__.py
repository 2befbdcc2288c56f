"""Measures, prints a table, and writes JSON where asked: `python -m benchmarks [NAME ...] [--json FILE]`."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import report
from benchmarks.figure import Figure
from benchmarks.say import Say, progress


def _drain(say: Say) -> list[Figure]:
    from benchmarks import drain

    return drain.measure(say)


def _drain_postgres(say: Say) -> list[Figure]:
    from benchmarks import drain

    return drain.measure_postgres(say)


def _intake(say: Say) -> list[Figure]:
    from benchmarks import intake

    return intake.measure(say)


def _revert(say: Say) -> list[Figure]:
    from benchmarks import revert

    return revert.measure(say)


MEASUREMENTS: Mapping[str, Callable[[Say], list[Figure]]] = {
    "revert": _revert,
    "intake": _intake,
    "drain": _drain,
    "drain-postgres": _drain_postgres,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures. Takes minutes, and a quiet machine."
    )
    parser.add_argument("names", nargs="*", help=f"what to measure (default: all): {', '.join(MEASUREMENTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures with all their values")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in MEASUREMENTS]:
        parser.error(f"there is no {', '.join(unknown)}; there is: {', '.join(MEASUREMENTS)}")
    from delivery.adapters.telemetry import logs

    logs.configure("bench", level="WARNING")
    around, figures, say = report.circumstances(), [], progress()
    for name in options.names or MEASUREMENTS:
        figures += MEASUREMENTS[name](say)
    if options.json:
        options.json.write_text(report.document(around, figures) + "\n")
    print(f"\n{report.head(around)}\n")
    print(report.table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
