"""A budget of series: nobody is asked for more than it allows, and a version that needs too many is left out alone."""

from collections.abc import Callable, Mapping, Sequence

from delivery.adapters.metrics.prometheus.rows import Key
from delivery.model.series import Unread, Why

RECOUNT_SECONDS = 600.0


class Budget:
    """`each`: series that one version may need; `total`: what one query may touch.

    Sizes are counted when a version is first asked for, and again every ten minutes: labels may begin to grow.
    """

    def __init__(self, each: int, total: int, monotonic: Callable[[], float]) -> None:
        self._each = each
        self._total = total
        self._monotonic = monotonic
        self._sizes: dict[Key, tuple[float, int]] = {}

    def unknown(self, keys: Sequence[Key]) -> list[Key]:
        """Those that have to be counted before they are asked for."""
        now = self._monotonic()
        return [key for key in keys if key not in self._sizes or now - self._sizes[key][0] >= RECOUNT_SECONDS]

    def learn(self, keys: Sequence[Key], sizes: Mapping[Key, int]) -> None:
        """What was counted; of keys that are not among `sizes` there is nothing yet."""
        now = self._monotonic()
        if len(self._sizes) > 20_000:
            self._sizes = {key: told for key, told in self._sizes.items() if now - told[0] < RECOUNT_SECONDS}
        self._sizes |= {key: (now, sizes.get(key, 0)) for key in keys}

    def refused(self, key: Key) -> Unread | None:
        """Why a version is not asked for; None where it is."""
        size = self._sizes[key][1]
        if size <= self._each:
            return None
        text = f"needs {size} series, {self._each} are allowed: narrow it with `where`, or raise `series`"
        return Unread(Why.TOO_MANY, text)

    def batches(self, keys: Sequence[Key], most: int) -> list[list[Key]]:
        """Keys in as few queries as possible, each within the total and of at most so many keys."""
        found: list[list[Key]] = []
        used = 0
        for key in keys:
            size = self._sizes[key][1]
            if not found or len(found[-1]) >= most or used + size > self._total:
                found.append([])
                used = 0
            found[-1].append(key)
            used += size
        return found
