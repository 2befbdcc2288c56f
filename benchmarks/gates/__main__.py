"""`python -m benchmarks.gates [TABLE ...] [--quick] [--json FILE] [--out FILE]`: whether gates keep what they promise.

Ends with 1 where something that is demanded was not found.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import report as circumstances
from benchmarks.gates.latencies import latencies
from benchmarks.gates.people import people
from benchmarks.gates.tables import TABLES, Demand, Report, Table
from benchmarks.say import progress

ALL = {**TABLES, "latency": latencies, "people": people}
FULL, QUICK = 400, 40


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which tables (default: all): {', '.join(ALL)}")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK} releases a cell and not {FULL}: half a minute, not six"
    )
    parser.add_argument("--runs", type=int, help="releases a cell")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure with its interval")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the tables as Markdown")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in ALL]:
        parser.error(f"there is no {', '.join(unknown)}; there is: {', '.join(ALL)}")
    around = {**circumstances.circumstances(), "command": _command()}
    report = Report(options.runs or (QUICK if options.quick else FULL), progress())
    for name in options.names or ALL:
        ALL[name](report)
    text = _text(around, report)
    print(f"\n{text}")
    if options.out:
        options.out.write_text(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(_plain(around, report), indent=1) + "\n")
    return 0 if all(demand.met for demand in report.demands) else 1


def _command() -> str:
    return " ".join(["python", "-m", "benchmarks.gates", *sys.argv[1:]])


def _text(around: dict[str, Any], report: Report) -> str:
    parts = [f"{circumstances.head(around)}\n{report.runs} releases a cell, the same ones for every row of a column"]
    parts += [f"{table.title}\n\n{_markdown(table.head, table.rows)}" for table in report.tables]
    parts.append(f"Demanded\n\n{_markdown(('', 'found', ''), [_row(demand) for demand in report.demands])}")
    return "\n\n".join(parts)


def _row(demand: Demand) -> tuple[str, ...]:
    return demand.what, demand.found, "met" if demand.met else "MISSED"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(around: dict[str, Any], report: Report) -> dict[str, Any]:
    def table(one: Table) -> dict[str, Any]:
        return {"title": one.title, "head": one.head, "rows": one.rows, "cells": one.cells}

    demands = [{"what": one.what, "found": one.found, "met": one.met} for one in report.demands]
    return {**around, "runs": report.runs, "tables": [table(one) for one in report.tables], "demands": demands}


if __name__ == "__main__":
    sys.exit(main())
