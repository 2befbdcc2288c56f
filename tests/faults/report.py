"""The report of `make faults` for people."""

from collections.abc import Sequence
from typing import Any


def markdown(runs: Sequence[dict[str, Any]]) -> str:
    """A table of what was run, and what was broken."""
    lines = ["| part | commit | seconds | rounds | what happened | broken |", "|---|---|---|---|---|---|"]
    for run in runs:
        counted = ", ".join(
            f"{count} {name}" for name, count in sorted(run["counted"].items()) if count and " " not in name
        )
        said = "; ".join([counted, *run["lines"]]).strip("; ")
        cells = (run["part"], run["commit"], f"{run['seconds']:.0f}", str(run["rounds"]), said, str(len(run["broken"])))
        lines.append(f"| {' | '.join(cells)} |")
    broken = [f"- {run['part']} at {run['commit']}: {text}" for run in runs for text in run["broken"]]
    return "\n".join([*lines, "", *broken]) + "\n"
