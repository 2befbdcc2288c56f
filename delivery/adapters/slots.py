"""Bounded concurrency for calls that leave the process: threads for production, none for simulation and tests."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from delivery.ports.errors import Unavailable

T = TypeVar("T")
Jobs = Sequence[tuple[str, bool, Callable[[], T]]]


class InlineSlots:
    """One job after the other in the caller's thread, urgent ones first."""

    def run(self, jobs: Jobs[T]) -> list[T | Exception]:
        results: dict[int, T | Exception] = {}
        for index in sorted(range(len(jobs)), key=lambda index: not jobs[index][1]):
            try:
                results[index] = jobs[index][2]()
            except Exception as error:  # a job's error is its result
                results[index] = error
        return [results[index] for index in range(len(jobs))]


class _Batch:
    """The jobs of one `run`, and the moment when the last of them has ended."""

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
class _Ticket:
    """One job on its way. Once `given_up` it is no longer started, and a late result is dropped."""

    urgent: bool
    call: Callable[[], object]
    batch: _Batch
    done: bool = False
    result: object = None
    given_up: bool = False

    def execute(self) -> None:
        try:
            self.result = self.call()
        except Exception as error:  # a job's error is its result
            self.result = error
        except BaseException as error:  # SystemExit from a library must not hang the caller
            self.result = RuntimeError(f"ended by {error!r}")
        self.done = True
        self.batch.ended()


class ThreadSlots:
    """At most `per_key` threads for each key, of which a quarter (at least one) take urgent jobs only.

    `run` comes back after `deadline` seconds at the latest, while the caller's claim still stands: what has no result
    by then is Unavailable, and its outcome unknown. A call that hangs for ever so costs one slot of its own key.
    """

    def __init__(self, per_key: int = 16, deadline: float = 6.0) -> None:
        if per_key < 2:
            raise ValueError(f"a key needs at least 2 slots, one of them for urgent jobs, not {per_key}")
        self._per_key = per_key
        self._deadline = deadline
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.Lock()

    def run(self, jobs: Jobs[T]) -> list[T | Exception]:
        batch = _Batch(len(jobs))
        tickets: dict[str, list[_Ticket]] = {}
        for key, urgent, call in jobs:
            tickets.setdefault(key, []).append(_Ticket(urgent, call, batch))
        for key, of_key in tickets.items():
            self._lane(key).put(of_key)
        batch.wait(self._deadline)
        found = {key: iter(of_key) for key, of_key in tickets.items()}
        return [cast(T | Exception, self._result(key, next(found[key]))) for key, _, _ in jobs]

    def _lane(self, key: str) -> "_Lane":
        with self._lock:
            if key not in self._lanes:
                self._lanes[key] = _Lane(key, self._per_key)
            return self._lanes[key]

    def _result(self, key: str, ticket: _Ticket) -> object:
        if ticket.done:
            return ticket.result
        ticket.given_up = True
        return Unavailable(f"{key} did not answer within {self._deadline:g} s")


class _Lane:
    """The threads of one key. They are made when first needed and kept.

    Whoever takes a job wakes another thread if there is more: so many run as calls are waiting for their answers, and
    calls that come back at once are made by one thread after the other, without changing threads in between.
    """

    def __init__(self, key: str, size: int) -> None:
        self._key = key
        self._size = size
        self._normal_size = size - max(1, size // 4)
        self._urgent: deque[_Ticket] = deque()
        self._normal: deque[_Ticket] = deque()
        self._threads = 0
        self._idle = 0
        self._waking = False  # a thread is on its way and has not looked yet
        self._normal_running = 0
        self._changed = threading.Condition()

    def put(self, tickets: Sequence[_Ticket]) -> None:
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

    def _take(self) -> _Ticket:
        with self._changed:
            while (ticket := self._next()) is None:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
                self._waking = False
            self._call_another()
            return ticket

    def _next(self) -> _Ticket | None:
        for queue in (self._urgent, self._normal):
            while queue and queue[0].given_up:
                queue.popleft()
        if self._urgent:
            return self._urgent.popleft()
        if self._normal and self._normal_running < self._normal_size:
            self._normal_running += 1
            return self._normal.popleft()
        return None
