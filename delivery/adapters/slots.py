"""Bounded concurrency for calls that leave the process: threads for production, none for simulation and tests."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


@dataclass(eq=False, slots=True)
class _Ticket:
    """One job on its way. Once `given_up` it is no longer started, and a late result is dropped."""

    urgent: bool
    call: Callable[[], object]
    done: threading.Event = field(default_factory=threading.Event)
    result: object = None
    given_up: bool = False

    def execute(self) -> None:
        try:
            self.result = self.call()
        except Exception as error:  # a job's error is its result
            self.result = error
        except BaseException as error:  # SystemExit from a library must not hang the caller
            self.result = RuntimeError(f"ended by {error!r}")
        self.done.set()


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
        until = time.monotonic() + self._deadline
        tickets = [_Ticket(urgent, call) for _, urgent, call in jobs]
        for (key, _, _), ticket in zip(jobs, tickets, strict=True):
            self._lane(key).put(ticket)
        return [
            cast(T | Exception, self._result(key, ticket, until))
            for (key, _, _), ticket in zip(jobs, tickets, strict=True)
        ]

    def _lane(self, key: str) -> "_Lane":
        with self._lock:
            if key not in self._lanes:
                self._lanes[key] = _Lane(key, self._per_key)
            return self._lanes[key]

    def _result(self, key: str, ticket: _Ticket, until: float) -> object:
        if ticket.done.wait(max(0.0, until - time.monotonic())):
            return ticket.result
        ticket.given_up = True
        return Unavailable(f"{key} did not answer within {self._deadline:g} s")


class _Lane:
    """The threads of one key. They are made when first needed and kept."""

    def __init__(self, key: str, size: int) -> None:
        self._key = key
        self._size = size
        self._normal_size = size - max(1, size // 4)
        self._urgent: deque[_Ticket] = deque()
        self._normal: deque[_Ticket] = deque()
        self._threads = 0
        self._idle = 0
        self._normal_running = 0
        self._changed = threading.Condition()

    def put(self, ticket: _Ticket) -> None:
        with self._changed:
            (self._urgent if ticket.urgent else self._normal).append(ticket)
            if self._idle < len(self._urgent) + len(self._normal) and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"slots {self._key} {self._threads}", daemon=True).start()
            self._changed.notify()

    def _work(self) -> None:
        while True:
            ticket = self._take()
            ticket.execute()
            if not ticket.urgent:
                with self._changed:
                    self._normal_running -= 1

    def _take(self) -> _Ticket:
        with self._changed:
            self._idle += 1
            while (ticket := self._next()) is None:
                self._changed.wait()
            self._idle -= 1
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
