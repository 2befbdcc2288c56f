"""A steady load: so many requests a second whatever the answers, from users who keep their cookies.

    python -m delivery.sandbox.load --port 10000 --service checkout --rate 200 --counters load.json

Every request is counted by who answered it. An answer that no version made, or none at all, counts as failed by the
switching: that is measured here, at the user's side, and never assumed.
"""

import argparse
import asyncio
import contextlib
import json
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from delivery.sandbox.client import Call, Client, ClientError, Reply

PULSE = 0.005  # seconds between two looks at what is due
REPORT = 0.5  # seconds between two writes of the counters
IN_FLIGHT = 512  # more than that, and requests are skipped and counted as such
BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Share:
    """A header that this percent of the users send with every request."""

    name: str
    value: str
    percent: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What to send. The users come in turn."""

    service: str
    rate: float
    users: int = 100
    shares: tuple[Share, ...] = ()
    path: str = "/"


@dataclass(slots=True)
class Seen:
    """What one version answered. `errors` are answers of class 5xx; `within` counts them by BOUNDS_MS, and slower."""

    requests: int = 0
    errors: int = 0
    users_with_errors: set[int] = field(default_factory=set)
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))

    def plain(self) -> dict[str, int]:
        """As JSON."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "users_with_errors": len(self.users_with_errors),
            "p50_ms": self.quantile(0.5),
            "p99_ms": self.quantile(0.99),
        }

    def quantile(self, share: float) -> int:
        """The bound in milliseconds below which this share of the requests was; above all bounds: twice the last."""
        wanted, seen = share * self.requests, 0
        for bound, number in zip((*BOUNDS_MS, 2 * BOUNDS_MS[-1]), self.within, strict=True):
            seen += number
            if seen >= wanted:
                return bound
        return 2 * BOUNDS_MS[-1]


@dataclass(slots=True)
class Counts:
    """`failed` says what answers that no version made were like. `skipped` were due, and never sent."""

    sent: int = 0
    versions: dict[str, Seen] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    skipped: int = 0

    @property
    def answered(self) -> int:
        """Requests that ended, in whatever way."""
        return sum(seen.requests for seen in self.versions.values()) + self.failed_by_switching

    @property
    def failed_by_switching(self) -> int:
        """Requests that no version answered."""
        return sum(self.failed.values())

    def plain(self) -> dict[str, object]:
        """As JSON."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "skipped": self.skipped,
            "failed_by_switching": self.failed_by_switching,
            "failed": dict(self.failed),
            "versions": {name: seen.plain() for name, seen in self.versions.items()},
        }


class Jar:
    """One user's cookies."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def take(self, lines: Sequence[str]) -> None:
        """What a reply sets or, with Max-Age=0, takes back."""
        for line in lines:
            pair, *attributes = (part.strip() for part in line.split(";"))
            name, _, value = pair.partition("=")
            self._cookies.pop(name, None)
            if "max-age=0" not in (attribute.lower() for attribute in attributes):
                self._cookies[name] = value

    def headers(self) -> dict[str, str]:
        if not self._cookies:
            return {}
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}


class Load:
    """`counts` may be read at any time from the loop that runs it."""

    def __init__(self, host: str, port: int, wish: Wish) -> None:
        self.wish = wish
        self.counts = Counts()
        self._address = (host, port)
        self._jars = [Jar() for _ in range(wish.users)]
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float | None = None, stop: asyncio.Event | None = None) -> None:
        """Sends until the time is over or `stop` is set, then waits for the answers under way."""
        client, loop = Client(*self._address), asyncio.get_running_loop()
        begun, due = loop.time(), 0
        try:
            while (seconds is None or loop.time() - begun < seconds) and not (stop and stop.is_set()):
                until = int((loop.time() - begun) * self.wish.rate)
                for number in range(due, until):
                    self._launch(client, number)
                due = until
                await asyncio.sleep(PULSE)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            client.close()

    def _launch(self, client: Client, number: int) -> None:
        if len(self._tasks) >= IN_FLIGHT:
            self.counts.skipped += 1
            return
        task = asyncio.get_running_loop().create_task(self._one(client, number % self.wish.users))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, client: Client, user: int) -> None:
        self.counts.sent += 1
        jar = self._jars[user]
        headers = {
            share.name: share.value for share in self.wish.shares if user * 100 < share.percent * self.wish.users
        }
        try:
            reply = await client.call(Call(self.wish.service, self.wish.path, headers={**headers, **jar.headers()}))
        except ClientError as error:
            self.counts.failed[str(error)] += 1
        else:
            jar.take(reply.cookies)
            self._count(user, reply)

    def _count(self, user: int, reply: Reply) -> None:
        if reply.version is None:
            self.counts.failed[f"{reply.status} {reply.body[:80].decode('latin-1')}".strip()] += 1
            return
        seen = self.counts.versions.setdefault(reply.version, Seen())
        seen.requests += 1
        took = reply.seconds * 1000
        seen.within[next((place for place, bound in enumerate(BOUNDS_MS) if took <= bound), len(BOUNDS_MS))] += 1
        if reply.status >= 500:
            seen.errors += 1
            seen.users_with_errors.add(user)


async def _main(load: Load, seconds: float | None, counters: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(load.run(seconds, stop))
    while not running.done():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(running), REPORT)
        if counters is not None:
            _write(counters, load.counts)
    running.result()
    print(json.dumps(load.counts.plain()))


def _write(path: Path, counts: Counts) -> None:
    """Whole or not at all: somebody reads it meanwhile."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(counts.plain()))
    temporary.rename(path)


def _share(text: str) -> Share:
    name, value, percent = text.split(":")
    return Share(name, value, int(percent))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A steady load through the proxy, counted by who answered.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--header", type=_share, action="append", default=[], help="NAME:VALUE:PERCENT of the users")
    parser.add_argument("--seconds", type=float, help="without it: until SIGTERM")
    parser.add_argument("--counters", type=Path, help="a file that always has the newest counts, as JSON")
    given = parser.parse_args(arguments)
    wish = Wish(given.service, given.rate, given.users, tuple(given.header))
    asyncio.run(_main(Load(given.host, given.port, wish), given.seconds, given.counters))


if __name__ == "__main__":
    main()
