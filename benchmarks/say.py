"""Progress, for whoever waits."""

import sys
import time
from collections.abc import Callable

Say = Callable[[str], None]


def progress() -> Say:
    """Says a line to stderr, with the seconds since this was made."""
    begun = time.monotonic()

    def say(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:6.1f} s  {line}\n")
        sys.stderr.flush()

    return say
