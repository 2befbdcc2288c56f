"""Bounded concurrency for calls that leave the process: threads for production, none for simulation and tests."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from delivery.ports.errors import Unavailable

T = TypeVar("T")
Jobs = Sequence[tuple[str, bool, Callable[[], T]]]


@dataclass(frozen=True, slots=True)
class Over(Generic[T]):
    """A call that has come back."""

    outcome: T | Exception
    over: bool = True

    def result(self) -> T | Exception:
        return self.outcome


@dataclass(frozen=True, slots=True)
class _AllOver(Generic[T]):
    calls: Sequence[Over[T]]

    def wait(self, seconds: float) -> None: ...


class InlineSlots:
    """One job after the other in the caller's thread, urgent ones first: all are over as soon as they are begun."""

    def begin(self, jobs: Jobs[T]) -> _AllOver[T]:
        results: dict[int, Over[T]] = {}
        for index in sorted(range(len(jobs)), key=lambda index: not jobs[index][1]):
            try:
                results[index] = Over(jobs[index][2]())
            except Exception as error:  # a job's error is its result
                results[index] = Over(error)
        return _AllOver([results[index] for index in range(len(jobs))])


class _Batch:
    """The jobs of one `begin`, and the moment when the last of them has ended."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()
        self._over = threading.Event()
        if not size:
            self._over.set()

    def ended(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._over.set()

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)


@dataclass(eq=False, slots=True)
class _Ticket(Generic[T]):
    """One job on its way. Once `given_up` it is no longer started, and a late result is dropped."""

    key: str
    urgent: bool
    call: Callable[[], T]
    batch: _Batch
    over: bool = False
    outcome: T | Exception | None = None
    given_up: bool = False

    def execute(self) -> None:
        try:
            self.outcome = self.call()
        except Exception as error:  # a job's error is its result
            self.outcome = error
        except BaseException as error:  # SystemExit from a library must not hang the caller
            self.outcome = RuntimeError(f"ended by {error!r}")
        self.over = True
        self.batch.ended()

    def result(self) -> T | Exception:
        if self.over and not self.given_up:
            return cast(T | Exception, self.outcome)
        self.given_up = True
        return Unavailable(f"{self.key} did not answer in time")


@dataclass(frozen=True, slots=True)
class _Begun(Generic[T]):
    calls: Sequence[_Ticket[T]]
    batch: _Batch

    def wait(self, seconds: float) -> None:
        self.batch.wait(seconds)


class ThreadSlots:
    """At most `per_key` threads for each key, of which a quarter (at least one) take urgent jobs only.

    A call that hangs for ever costs one slot of its own key.
    """

    def __init__(self, per_key: int = 16) -> None:
        if per_key < 2:
            raise ValueError(f"a key needs at least 2 slots, one of them for urgent jobs, not {per_key}")
        self._per_key = per_key
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.Lock()

    def begin(self, jobs: Jobs[T]) -> _Begun[T]:
        batch = _Batch(len(jobs))
        tickets = [_Ticket(key, urgent, call, batch) for key, urgent, call in jobs]
        by_key: dict[str, list[_Ticket[T]]] = {}
        for ticket in tickets:
            by_key.setdefault(ticket.key, []).append(ticket)
        for key, of_key in by_key.items():
            self._lane(key).put(of_key)
        return _Begun(tickets, batch)

    def _lane(self, key: str) -> "_Lane":
        with self._lock:
            if key not in self._lanes:
                self._lanes[key] = _Lane(key, self._per_key)
            return self._lanes[key]


class _Lane:
    """The threads of one key. They are made when first needed and kept.

    Whoever takes a job wakes another thread if there is more: so many run as calls are waiting for their answers, and
    calls that come back at once are made by one thread after the other, without changing threads in between.
    """

    def __init__(self, key: str, size: int) -> None:
        self._key = key
        self._size = size
        self._normal_size = size - max(1, size // 4)
        self._urgent: deque[_Ticket[Any]] = deque()
        self._normal: deque[_Ticket[Any]] = deque()
        self._threads = 0
        self._idle = 0
        self._waking = False  # a thread is on its way and has not looked yet
        self._normal_running = 0
        self._changed = threading.Condition()

    def put(self, tickets: Sequence[_Ticket[Any]]) -> None:
        with self._changed:
            for ticket in tickets:
                (self._urgent if ticket.urgent else self._normal).append(ticket)
            self._call_another()

    def _call_another(self) -> None:
        if self._waking or not self._startable():
            return
        if self._idle:
            self._waking = True
            self._changed.notify()
        elif self._threads < self._size:
            self._waking = True
            self._threads += 1
            threading.Thread(target=self._work, name=f"slots {self._key} {self._threads}", daemon=True).start()

    def _startable(self) -> bool:
        return bool(self._urgent) or (bool(self._normal) and self._normal_running < self._normal_size)

    def _work(self) -> None:
        self._arrived()
        while True:
            ticket = self._take()
            ticket.execute()
            if not ticket.urgent:
                with self._changed:
                    self._normal_running -= 1

    def _arrived(self) -> None:
        with self._changed:
            self._waking = False

    def _take(self) -> _Ticket[Any]:
        with self._changed:
            while (ticket := self._next()) is None:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
                self._waking = False
            self._call_another()
            return ticket

    def _next(self) -> _Ticket[Any] | None:
        for queue in (self._urgent, self._normal):
            while queue and queue[0].given_up:
                queue.popleft()
        if self._urgent:
            return self._urgent.popleft()
        if self._normal and self._normal_running < self._normal_size:
            self._normal_running += 1
            return self._normal.popleft()
        return None
