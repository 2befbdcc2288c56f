"""A thread that does one kind of work for ever: at once while there is more, and by and by when there is none."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable

from delivery.ports.errors import PortError

LONGEST_PAUSE = 2.0
"""Seconds between tries while the work fails: what the database's return may cost."""

log = logging.getLogger(__name__)


class Loop:
    """`work` says whether there may be more at once. Nothing that it raises ends the loop.

    It may be stopped by a signal's handler. Signals come in the middle of anything, also of a stop: an Event would then
    wait for its own lock, a SimpleQueue is made for it.
    """

    def __init__(self, name: str, work: Callable[[], bool], *, idle: float, busy: float) -> None:
        self._name = name
        self._work = work
        self._idle = idle
        self._busy = busy
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopping = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Ends the pause, or the next one if the work is being done now."""
        self._woken.put(None)

    def stop(self) -> None:
        """Nothing is begun after this; what is being done ends by itself."""
        self._stopping = True
        self._woken.put(None)

    def join(self, within: float) -> bool:
        """Whether the thread ended in time."""
        if self._thread.ident is not None:
            self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while True:
            self._rest(pause)
            if self._stopping:
                return
            pause = self._once()

    def _rest(self, pause: float) -> None:
        """Until it is woken; however often it was, that is once."""
        with contextlib.suppress(queue.Empty):
            self._woken.get(timeout=pause)
            while True:
                self._woken.get_nowait()

    def _once(self) -> float:
        try:
            more = self._work()
        except BaseException as error:  # a library's SystemExit too: without this thread the worker is of no use
            return self._failed(error)
        if self._failures:
            log.info("%s works again after %d failures", self._name, self._failures)
            self._failures = 0
        return self._busy if more else self._idle

    def _failed(self, error: BaseException) -> float:
        if self._failures == 0:
            away = isinstance(error, PortError)  # its text names what does not answer; our own lines add nothing
            log.error("%s failed and is tried again: %s", self._name, _text(error), exc_info=None if away else error)
        self._failures += 1
        return float(min(LONGEST_PAUSE, self._idle * 2**self._failures))


def _text(error: BaseException) -> str:
    return str(error) or repr(error)
