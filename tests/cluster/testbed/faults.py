"""What the fault proxy is told to do, and what it has seen. No input or output.

script.add(Answer(409), "PUT", "/virtualservices/", times=1)
with script.faults((Answer(500), "PUT", ""), (Slow(0.5), "GET", "")): ...
"""

import contextlib
import dataclasses
import re
import threading
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

WATCH = "WATCH"
"""The verb of a GET that goes on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Answered with this status; the API server never hears of it. `retry_after` is in seconds."""

    status: int
    retry_after: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Lost:
    """No answer: the connection is cut after `hold` seconds, or when who asked gives up. `applied`: the API server has
    done it all the same, so that a timeout after the write is told apart from one before.
    """

    applied: bool
    hold: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Slow:
    """Passed on after so many seconds."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """Passed on once the test says so."""

    until: threading.Event


@dataclasses.dataclass(frozen=True, slots=True)
class Mute:
    """Answered, and then nothing comes of the body until the test says so: a connection that looks alive."""

    until: threading.Event


Fault = Answer | Lost | Slow | Held | Mute


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A request. `status` is what was answered, 0 for nothing (yet)."""

    verb: str
    path: str
    status: int


@dataclasses.dataclass(slots=True)
class _Rule:
    fault: Fault
    verb: str
    pattern: re.Pattern[str]
    left: int | None

    def fits(self, verb: str, path: str) -> bool:
        return self.left != 0 and self.verb in ("", verb) and self.pattern.search(path) is not None


class Script:
    """For several threads. The first rule that fits is followed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._seen: list[Seen] = []

    def add(self, fault: Fault, verb: str = "", path: str = "", *, times: int | None = None) -> None:
        """A fault for requests with this verb ("" any, WATCH for watches) and a path that the expression is found in;
        the next `times` of them, or all.
        """
        with self._lock:
            self._rules.append(_Rule(fault, verb, re.compile(path), times))

    def clear(self) -> None:
        """From now on everything is passed on."""
        with self._lock:
            self._rules.clear()

    @contextlib.contextmanager
    def faults(self, *told: tuple[Fault, str, str]) -> Iterator[None]:
        """(fault, verb, path) for as long as the block runs."""
        for fault, verb, path in told:
            self.add(fault, verb, path)
        try:
            yield
        finally:
            self.clear()

    def take(self, verb: str, path: str) -> tuple[int, Fault | None]:
        """What to do with a request, and its number for `answered`."""
        with self._lock:
            self._seen.append(Seen(verb, path, 0))
            number = len(self._seen) - 1
            for rule in self._rules:
                if rule.fits(verb, path):
                    if rule.left is not None:
                        rule.left -= 1
                    return number, rule.fault
            return number, None

    def answered(self, number: int, status: int) -> None:
        with self._lock:
            self._seen[number] = dataclasses.replace(self._seen[number], status=status)

    def mark(self) -> int:
        """Now, for `since` of the two below."""
        with self._lock:
            return len(self._seen)

    def seen(self, since: int = 0) -> tuple[Seen, ...]:
        """Every request in the order in which they came."""
        with self._lock:
            return tuple(self._seen[since:])

    def counts(self, since: int = 0) -> Counter[tuple[str, str]]:
        """How many requests there were, by verb and kind of object (`virtualservices`)."""
        return Counter((one.verb, kind_of(one.path)) for one in self.seen(since))


def verb_of(method: str, target: str) -> str:
    """WATCH for a GET that asks to watch, else the method."""
    asked = parse_qs(urlsplit(target).query).get("watch", [""])[0]
    return WATCH if method == "GET" and asked in ("1", "true") else method


def kind_of(path: str) -> str:
    """The plural of the objects that a path is about: `/apis/apps/v1/namespaces/n/deployments/x` -> `deployments`."""
    parts = [part for part in path.split("/") if part]
    below = parts[3:] if parts[:1] == ["apis"] else parts[2:]
    if below[:1] == ["namespaces"] and len(below) > 2:
        below = below[2:]
    return below[0] if below else path
