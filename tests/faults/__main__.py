"""`make faults`: every part in about an hour, or one by its name, longer; a report as JSON and as Markdown.

python -m tests.faults --part simulation --minutes 60 --seeds 5000 --json build/faults.json
"""

import argparse
import json
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.faults import mutants
from tests.faults.parts import PARTS
from tests.faults.report import markdown
from tests.faults.result import STORM, Bounds, Result

DEFAULTS = {  # minutes at most, and what is enough
    "kills-sqlite": (5.0, 1500),
    "kills-postgresql": (5.0, 1500),
    "system": (4.0, 200),
    "surroundings": (4.0, 5000),
    "wire": (6.0, 5000),
    "deliveries": (3.0, 3000),
    "disk": (1.5, 30),
    "ordinary": (6.0, 1),
    "mutants": (8.0, 1),
    "simulation": (5.0, 1_000_000),
    "short-schedules": (5.0, 1_000_000),
}

PLANTED = {"kills-sqlite", "kills-postgresql", "system", "surroundings", "disk"}
"""Parts in whose processes a mistake can be planted."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=sorted(PARTS), action="append", help="one of them (default: all)")
    parser.add_argument("--minutes", type=float, help="at most, for each part (default: its own)")
    parser.add_argument("--enough", type=int, help="how much of what a part counts is enough (default: its own)")
    parser.add_argument("--storm", type=float, default=STORM, help="seconds of each storm (default: %(default)g)")
    parser.add_argument("--seeds", type=int, help="the first seed (default: after the last one that the report has)")
    parser.add_argument("--mutant", choices=sorted(mutants.MUTANTS), help="plant this mistake: it has to be found")
    parser.add_argument("--json", type=Path, default=Path("build/faults.json"), help="the report, added to")
    options = parser.parse_args()
    if options.mutant and not set(options.part or PARTS) <= PLANTED:
        parser.error(f"--mutant needs --part, one or several of: {', '.join(sorted(PLANTED))}")
    known = json.loads(options.json.read_text()) if options.json.exists() else []
    bad = 0
    for part in options.part or list(DEFAULTS):
        minutes, enough = DEFAULTS[part]
        seeds = options.seeds if options.seeds is not None else _next_seed(known, part)
        bounds = Bounds(options.minutes or minutes, options.enough or enough, options.storm, options.mutant, seeds)
        result = _run(part, bounds)
        if options.mutant:
            bad += _found(result, options.mutant)
            continue
        bad += len(result.broken)
        known.append({"commit": _commit(), **vars(result)})
        _tell(result)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(known, indent=1, default=dict) + "\n")
        options.json.with_suffix(".md").write_text(markdown(known))
    return 1 if bad else 0


def _run(part: str, bounds: Bounds) -> Result:
    """One that cannot go on is told as such, and keeps no other from being run."""
    begun = time.monotonic()
    try:
        return PARTS[part](bounds)
    except Exception as error:  # whatever it is
        traceback.print_exc()
        return Result(part, time.monotonic() - begun, broken=[f"it did not come to its end: {error!r}"])


def _tell(result: Result) -> None:
    counted = ", ".join(
        f"{count} {name}" for name, count in sorted(result.counted.items()) if count and " " not in name
    )
    print(f"{result.part}: {result.seconds:.0f} s, {result.rounds} rounds; {counted}", *result.lines, flush=True)
    for text in result.broken[:20]:
        print(f"    {text}", flush=True)


def _found(result: Result, mutant: str) -> int:
    wanted = mutants.MUTANTS[mutant].breaks
    found = [text for text in result.broken if text.startswith(wanted)]
    print(f"{result.part}: {mutant}: {'found: ' + found[0] if found else 'SURVIVED ' + str(result.broken[:3])}")
    return 0 if found else 1


def _next_seed(known: list[dict[str, Any]], part: str) -> int:
    """After the last one that was played; parts without seeds have no use for it."""
    lines = [str(line) for one in known if one["part"] == part for line in one["lines"] if "seeds" in str(line)]
    return max((int(line.split()[-1]) + 1 for line in lines), default=0)


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
