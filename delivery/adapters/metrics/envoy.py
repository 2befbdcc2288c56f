"""Port Metrics over the admin interface of one Envoy: its own counters, one call for many subjects.

A request counts when it ended, once however often it was tried: `upstream_rq_completed`, and `upstream_rq_5xx` with
what Envoy answered itself (timeouts, refused connections). Times are `upstream_rq_time`, merged every
`stats_flush_interval`, so that slow requests are seen that much later; a request without an answer has no time.
"""

import http.client
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from delivery.adapters.http_socket import connect
from delivery.model.series import Sample, Series, Unread
from delivery.ports.clock import Clock
from delivery.ports.errors import Unavailable
from delivery.ports.metrics import Subject

BATCH = 200
"""Subjects asked for in one call: Envoy takes at most 60 KiB of request line and headers."""
# /stats?format=json has neither the count nor +Inf: what is slower than the last bound would vanish there.
_LINE = re.compile(r"envoy_cluster_upstream_rq_(completed|xx|time_bucket|time_count)\{([^}]*)\} (\d+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class EnvoyMetrics:
    """`address` is the admin interface's: `HOST:PORT`, or the path of a unix socket. `proxy` names it in series.

    One sample takes at most about `seconds` for every `BATCH` subjects.
    """

    def __init__(self, address: str, clock: Clock, proxy: str = "envoy", seconds: float = 2.0) -> None:
        self._address = address
        self._clock = clock
        self._proxy = proxy
        self._seconds = seconds

    def sample(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sample | Unread]:
        if not subjects:
            return {}
        names = {subject: subject.backend.lane(subject.lane) for subject in subjects}
        counted: dict[str, _Counted] = {}
        now = self._clock.now()
        with self._connected() as connection:  # one connection is one life of Envoy: epoch and counters belong together
            epoch = self._epoch(connection)
            wanted = sorted(set(names.values()))
            for first in range(0, len(wanted), BATCH):
                counted |= _parse(self._get(connection, _path(wanted[first : first + BATCH])))
        return {
            subject: Sample(now, {self._proxy: counted.get(name, _Counted()).series(epoch)})
            for subject, name in names.items()
        }

    def _epoch(self, connection: http.client.HTTPConnection) -> str:
        """When this Envoy began: another life has another one. /server_info has only whole seconds, in 120 kB."""
        body = self._get(connection, "/config_dump?mask=last_updated")
        try:
            configs = json.loads(body)["configs"]
            return str(next(c for c in configs if c["@type"].endswith("BootstrapConfigDump"))["last_updated"])
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            raise Unavailable(f"Envoy at {self._address} does not say when it started: {body[:200]}") from error

    @contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        connection = connect(self._address, self._seconds)
        try:
            connection.connect()
            connection.auto_open = False  # never goes on with another life in silence
            yield connection
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"Envoy's counters at {self._address} cannot be read: {reason}") from error
        finally:
            connection.close()

    def _get(self, connection: http.client.HTTPConnection, path: str) -> str:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
        if response.status != 200:
            raise Unavailable(f"Envoy at {self._address} answered {response.status}: {body[:200]}")
        return body


@dataclass(slots=True)
class _Counted:
    """What one cluster has counted. A counter that was never hit is not told, and is 0."""

    requests: int = 0
    errors: int = 0
    timed: int = 0
    within: dict[int, int] = field(default_factory=dict)

    def series(self, epoch: str) -> Series:
        slow = tuple((bound, self.timed - number) for bound, number in sorted(self.within.items()))
        return Series(self.requests, self.errors, slow, epoch)


def _path(clusters: Sequence[str]) -> str:
    names = "|".join(map(re.escape, clusters))
    wanted = quote(rf"^cluster\.({names})\.upstream_rq_(completed|5xx|time)$")
    return f"/stats/prometheus?usedonly&filter={wanted}"


def _parse(text: str) -> dict[str, _Counted]:
    """What each cluster counted, from the exposition format."""
    found: dict[str, _Counted] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        labels = dict(_LABEL.findall(match[2]))
        counted = found.setdefault(labels.get("envoy_cluster_name", ""), _Counted())
        _take(counted, match[1], labels.get("le", ""), int(match[3]))
    return found


def _take(counted: _Counted, name: str, bound: str, value: int) -> None:
    if name == "completed":
        counted.requests = value
    elif name == "xx":
        counted.errors = value
    elif name == "time_count":
        counted.timed = value
    elif bound.isdigit():
        counted.within[int(bound)] = value
