"""Clock of this machine: right where the workers, the API and the database are one machine (SQLite)."""

import time

from delivery.model.ids import Micros


class SystemClock:
    def now(self) -> Micros:
        return Micros(time.time_ns() // 1000)

    def monotonic(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)
