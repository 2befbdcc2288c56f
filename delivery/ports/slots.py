"""Port: bounded concurrency for calls that leave the process. The only place where threads are."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Slots(Protocol):
    def run(self, jobs: Sequence[tuple[str, bool, Callable[[], T]]]) -> list[T | Exception]:
        """Runs every job (key of the system that it calls, whether it is urgent, the call); results in the same order.

        A key never takes all the slots of another one; a quarter of each key's slots is kept for urgent jobs.
        """
