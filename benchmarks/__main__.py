"""Measures, prints a table, and writes JSON where asked: `python -m benchmarks [NAME ...] [--json FILE]`."""

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from benchmarks import report
from benchmarks.figure import Figure
from benchmarks.say import Say, progress


def _of(module: str, function: str) -> Callable[[Say], list[Figure]]:
    """A measurement; its module is loaded when it is wanted."""

    def measure(say: Say) -> list[Figure]:
        found: list[Figure] = getattr(import_module(f"benchmarks.{module}"), function)(say)
        return found

    return measure


MEASUREMENTS: Mapping[str, Callable[[Say], list[Figure]]] = {
    "revert": _of("revert", "measure"),
    "drain": _of("drain", "measure"),
    "drain-postgres": _of("drain", "measure_postgres"),
    "prometheus": _of("prometheus", "measure"),
    "retention": _of("retention", "measure"),
    "intake": _of("intake", "measure"),
    "intake-postgres": _of("intake", "measure_postgres"),
}
APART: Mapping[str, Callable[[Say], list[Figure]]] = {"cluster": _of("cluster", "measure")}
"""Measured where they are named: they need more than PyPI has."""


def main() -> int:
    if sys.argv[1:2] == ["load"]:  # has options and tables of its own
        from benchmarks.load.__main__ import main as load

        return load(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures. Takes minutes, and a quiet machine."
    )
    known = {**MEASUREMENTS, **APART}
    what = f"what to measure (default: {', '.join(MEASUREMENTS)}); {', '.join(APART)} only where named"
    parser.add_argument("names", nargs="*", help=f"{what}; or: load, with options of its own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures with all their values")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"there is no {', '.join(unknown)}; there is: {', '.join(known)}")
    from delivery.adapters.telemetry import logs

    logs.configure("bench", level="WARNING")
    around, figures, say = report.circumstances(), [], progress()
    for name in options.names or MEASUREMENTS:
        figures += known[name](say)
    if options.json:
        options.json.write_text(report.document(around, figures) + "\n")
    print(f"\n{report.head(around)}\n")
    print(report.table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
