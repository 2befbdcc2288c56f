"""Parts that are tests: each has to pass."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.result import Bounds, Result

ROOT = Path(__file__).parents[2]
TESTS_WITHIN, TEST_WITHIN = 1800.0, 900
"""Seconds that the tests of a part have, however few its minutes: half of them would say nothing; and each of them."""


def mutants(bounds: Bounds) -> Result:
    """Every mistake of the simulation's list has to be found, and the exhaustive sweep of crashes."""
    return _tests("mutants", bounds, "tests/simulation/test_mutants.py", "tests/simulation/test_crashes.py")


def ordinary(bounds: Bounds) -> Result:
    """What ordinary tests miss: the five of the design, on both databases."""
    return _tests("ordinary", bounds, *ORDINARY)


ORDINARY = (
    "tests/integration/test_engine_unproven.py",
    "tests/histories/test_histories.py",
    "tests/e2e/test_kills.py",
    "tests/faults/test_faults.py",
    "tests/integration/test_engine_batch.py",
    "tests/integration/test_engine_time.py",
)


def _tests(part: str, bounds: Bounds, *files: str) -> Result:
    begun, result = time.monotonic(), Result(part, rounds=1)
    asked = ("-q", "-p", "no:cacheprovider", "--tb=line", f"--timeout={TEST_WITHIN}")
    within = max(TESTS_WITHIN, bounds.minutes * 60)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *asked, *files],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "500"},  # a failure's line has its reason only where there is room for it
            stdout=subprocess.PIPE,
            text=True,
            timeout=within,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Result(part, within, 1, broken=[f"the tests did not end within {within:.0f} s"])
    result.lines.append(done.stdout.rstrip().splitlines()[-1])
    result.broken = [line for line in done.stdout.splitlines() if line.startswith("FAILED")] if done.returncode else []
    result.broken += ["the tests failed"] if done.returncode and not result.broken else []
    result.seconds = time.monotonic() - begun
    return result
