"""istiod's own account of what each proxy was sent, and what it said to it: /debug/syncz of every replica."""

import http.client
import json
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from delivery.adapters.mesh.istio import metrics
from delivery.adapters.mesh.istio.clock import RemoteClock, Span
from delivery.adapters.mesh.istio.proxies import Addresses
from delivery.ports.errors import Refused, Unavailable

SECONDS = 3.0
EXACT = 0.004
"""Seconds of uncertainty about a replica's clock that are good enough: less than its shortest debounce."""
ASKS = 14
AT_ONCE = 8
FRESH = 0.2
"""Seconds for which the answer about all proxies is kept: of thousands it is a megabyte."""
TYPE = "type.googleapis.com/envoy.config."
ROUTES = f"{TYPE}route.v3.RouteConfiguration"
CLUSTERS = f"{TYPE}cluster.v3.Cluster"
ENDPOINTS = f"{TYPE}endpoint.v3.ClusterLoadAssignment"
ROUTER, SIDECAR = "router", "sidecar"


class Denied(Refused):
    """istiod does not let us read about all proxies."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a proxy was sent last of one kind. `error` is the proxy's own text, where it refused it."""

    at: Span
    acked: bool
    error: str


@dataclass(frozen=True, slots=True)
class Synced:
    """A proxy that is connected to one of the replicas."""

    name: str
    kind: str
    sent: Mapping[str, Sent]


@dataclass(frozen=True, slots=True)
class Account:
    """What the replicas tell: each proxy once. `silent` are those that do not answer; whom they serve is not known."""

    proxies: tuple[Synced, ...]
    silent: tuple[str, ...] = ()


class Istiods:
    """All replicas of istiod. The token file is read for every call: such tokens are renewed."""

    def __init__(self, addresses: Addresses, token: Path | None = None) -> None:
        self._addresses = addresses
        self._token = token
        self._clocks: dict[str, RemoteClock] = {}
        self._setting: set[str] = set()
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._known: tuple[float, Account] = (float("-inf"), Account(()))

    def account(self) -> Account:
        """Raises Denied where we may not, Unavailable where no replica answers.

        Up to FRESH old, for many targets are confirmed at once: what was acknowledged then is acknowledged now.
        """
        with self._asking:
            if time.monotonic() - self._known[0] > FRESH:
                asked = time.monotonic()
                self._known = (asked, self._account())
            return self._known[1]

    @property
    def silent(self) -> tuple[str, ...]:
        """The replicas that did not answer when they were asked last."""
        return self._known[1].silent

    def _account(self) -> Account:
        addresses = tuple(self._addresses.find().values())
        if not addresses:
            raise Unavailable("no replica of istiod is ready")
        with ThreadPoolExecutor(min(AT_ONCE, len(addresses))) as pool:
            answers = list(pool.map(self._listed, addresses))
        errors = [answer for answer in answers if isinstance(answer, Unavailable)]
        if len(errors) == len(answers):
            raise errors[0]
        silent = [
            address for address, answer in zip(addresses, answers, strict=True) if isinstance(answer, Unavailable)
        ]
        told = [proxy for answer in answers if not isinstance(answer, Unavailable) for proxy in answer]
        return Account(_newest(told), tuple(f"istiod at {address}" for address in silent))

    def _listed(self, address: str) -> list[Synced] | Unavailable:
        try:
            clock, listed = self.clock(address), json.loads(self._ask(address, "/debug/syncz"))
            return [_synced(entry, clock) for entry in listed or ()]
        except Unavailable as error:
            return error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Unavailable(f"istiod at {address} answers to /debug/syncz with something else: {error!r}")

    def rejects(self) -> metrics.Told:
        """What all replicas tell of refused configurations and of how long pushes take. It needs no right."""
        return metrics.total(self._ask(address, "/metrics").decode() for address in self._addresses.find().values())

    def clock(self, address: str) -> RemoteClock:
        """A replica's clock; where it is not known well, that is seen to in the background."""
        with self._lock:
            clock = self._clocks.setdefault(address, RemoteClock())
            if clock.uncertainty(time.monotonic()) <= 2 * EXACT or address in self._setting:
                return clock
            self._setting.add(address)
        threading.Thread(target=self._set, args=(address, clock), daemon=True).start()
        return clock

    def _set(self, address: str, clock: RemoteClock) -> None:
        """Asks at moments that halve the uncertainty; each takes up to a second."""
        try:
            for _ in range(ASKS):
                if clock.uncertainty(now := time.monotonic()) <= EXACT:
                    return
                time.sleep(max(0.0, clock.next_edge(now) - now))
                self._ask(address, "/version")
        except (Unavailable, Refused):
            return  # whoever asks next for the clock begins again
        finally:
            with self._lock:
                self._setting.discard(address)

    def _ask(self, address: str, path: str) -> bytes:
        host, _, port = address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        try:
            connection.connect()
            asked = time.monotonic()
            connection.request("GET", path, headers=self._headers())
            answer = connection.getresponse()
            answered = time.monotonic()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"istiod at {address} does not answer: {reason}") from error
        finally:
            connection.close()
        if answer.status in (401, 403):
            raise Denied(_denied(address, path, answer.status))
        if answer.status != 200:
            raise Unavailable(f"istiod at {address} answered {answer.status} for {path}")
        if date := answer.headers.get("date"):
            with self._lock:
                clock = self._clocks.setdefault(address, RemoteClock())
            clock.hear(asked, answered, parsedate_to_datetime(date).timestamp())
        return body

    def _headers(self) -> Mapping[str, str]:
        if self._token is None:
            return {}
        try:
            return {"authorization": f"Bearer {self._token.read_text().strip()}"}
        except OSError as error:
            raise Unavailable(f"the token for istiod cannot be read: {error}") from error


def _denied(address: str, path: str, status: int) -> str:
    if status == 401:
        return f"istiod at {address} asks who we are for {path}: configure a token with the audience istio-ca"
    return (
        f"istiod at {address} does not let our namespace read {path}: add it to "
        "DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES of istiod"
    )


def _newest(told: Iterable[Synced]) -> tuple[Synced, ...]:
    """A proxy that has gone to another replica may still be listed by the one that it left."""
    found: dict[str, Synced] = {}
    for proxy in told:
        known = found.get(proxy.name)
        if known is None or _last(known) < _last(proxy):
            found[proxy.name] = proxy
    return tuple(found.values())


def _last(proxy: Synced) -> float:
    return max((sent.at.last for sent in proxy.sent.values()), default=float("-inf"))


def _synced(entry: Mapping[str, Any], clock: RemoteClock) -> Synced:
    now = time.monotonic()
    sent = {}
    for kind, resource in (entry.get("resources") or {}).items():
        at = datetime.fromisoformat(resource.get("sentTime") or "0001-01-01T00:00:00Z").timestamp()
        acked = resource.get("sent", "") == resource.get("acked", "") and not resource.get("lastError")
        sent[kind] = Sent(clock.ours(at, now), acked, resource.get("lastError", ""))
    return Synced(str(entry["proxy"]), str(entry.get("proxy_type", "")), sent)
