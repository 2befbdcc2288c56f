"""Port: bounded concurrency for calls that leave the process. The only place where threads are."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Call(Protocol[T_co]):
    """One call under way."""

    @property
    def over(self) -> bool:
        """Whether it has come back."""

    def result(self) -> T_co | Exception:
        """What came of it, its error too. Unavailable where it is not over: what is not begun yet never is then, and
        what comes back later is dropped."""


class Begun(Protocol[T_co]):
    """Calls that were begun together, in the order of their jobs."""

    @property
    def calls(self) -> Sequence[Call[T_co]]: ...

    def wait(self, seconds: float) -> None:
        """Until all of them are over, or for so long."""


class Slots(Protocol):
    def begin(self, jobs: Sequence[tuple[str, bool, Callable[[], T]]]) -> Begun[T]:
        """Begins every job (key of the system that it calls, whether it is urgent, the call).

        A key never takes all the slots of another one; a quarter of each key's slots is kept for urgent jobs.
        """
