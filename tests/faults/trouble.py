"""What happens to a request on its way to the Kubernetes API: drawn for each, where a test's script has rules."""

import random
import threading
from collections import Counter

from tests.cluster.testbed.faults import WATCH, Answer, Fault, Lost, Script

PATIENCE = 6.0
"""Seconds; our client has given up after five."""
READS = ("GET", WATCH)
DRAWN: tuple[tuple[str, Fault, int], ...] = (
    ("409", Answer(409), 4),
    ("429", Answer(429, retry_after=1), 4),
    ("500", Answer(500), 4),
    ("cut before", Lost(applied=False), 4),
    ("cut after", Lost(applied=True), 4),
    ("timeout before", Lost(applied=False, hold=PATIENCE), 1),
    ("timeout after", Lost(applied=True, hold=PATIENCE), 1),
)
"""What it is called, what happens, how often. `after`: the API server has done it, and nobody is told."""


class Trouble(Script):
    """`rate`: the share of requests that are refused or not answered; `refused` counts them, by what and which verb."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0
        self.refused: Counter[str] = Counter()
        self._random = random.Random()
        self._counting = threading.Lock()

    def take(self, verb: str, path: str) -> tuple[int, Fault | None]:
        number, _ = super().take(verb, path)
        with self._counting:
            if self._random.random() >= self.rate:
                return number, None
            name, fault = self._draw(verb)
            self.refused[f"{name} {verb}"] += 1
            return number, fault

    def _draw(self, verb: str) -> tuple[str, Fault]:
        """Nobody answers a read with 409, and of a watch there is nothing to be done before its answer."""
        fits = [
            one
            for one in DRAWN
            if not (one[0] == "409" and verb in READS) and not (verb == WATCH and one[0].endswith("after"))
        ]
        name, fault, _ = self._random.choices(fits, [weight for _, _, weight in fits])[0]
        return name, fault
