"""An issuer of tokens: where its endpoints are, and its public keys, kept and renewed when it rotates them."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from jwt import PyJWK, PyJWTError

from delivery.ports.errors import Unavailable

KEPT = 3600.0
"""Seconds after which keys are asked for again; those that were known stand in while nobody answers."""
AGAIN = 30.0
"""Seconds between two questions at least, whatever key ids come: a flood of unknown ones asks nobody anything."""
PLAIN = "the provider that vouches for people or jobs cannot be asked"
TIMEOUT = httpx.Timeout(5.0)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Known:
    at: float
    endpoints: Mapping[str, str]
    keys: Mapping[str, PyJWK]


@dataclass(slots=True)
class Provider:
    """Used by threads. `http` is for tests and for authorities of one's own."""

    issuer: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=TIMEOUT))
    monotonic: Callable[[], float] = time.monotonic
    _known: _Known | None = None
    _tried: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def endpoint(self, name: str) -> str:
        """The URL that the issuer has for something, as `token_endpoint`. Raises Unavailable."""
        found = self._fresh(lambda known: True).endpoints.get(name, "")
        if not safe(found):
            raise Unavailable(f"{self.issuer} names no {name} that can be used", plain=PLAIN)
        return found

    def key(self, kid: str | None) -> PyJWK | None:
        """The key of this id; without an id the one key that there is. None: it has no such key. Raises Unavailable."""

        def has(known: _Known) -> bool:
            return kid is None or kid in known.keys

        keys = self._fresh(has).keys
        if kid is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def _fresh(self, good: Callable[[_Known], bool]) -> _Known:
        """What is known, asked for anew where it is old or lacks something; but not too often."""
        known = self._known if self._known is not None and good(self._known) else None
        if known is not None and self.monotonic() - known.at < KEPT:
            return known
        if not self._lock.acquire(blocking=known is None) and known is not None:
            return known  # it is old and being renewed; an issuer that hangs keeps one thread waiting, not all
        try:
            now = self.monotonic()
            if self._tried is None or now - self._tried >= AGAIN:
                self._tried = now
                self._renew(now)
            if self._known is None:
                raise Unavailable(f"the keys of {self.issuer} cannot be read", AGAIN, PLAIN)
            return self._known
        finally:
            self._lock.release()

    def _renew(self, now: float) -> None:
        try:
            found = self._json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                raise ValueError(f"it calls itself {found.get('issuer')}")
            endpoints = {name: value for name, value in found.items() if isinstance(value, str)}
            self._known = _Known(now, endpoints, _keys(self._json(endpoints.get("jwks_uri", ""))))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("issuer_unreadable", issuer=self.issuer, error=str(error))

    def _json(self, url: str) -> dict[str, Any]:
        if not safe(url):
            raise ValueError(f"{url!r} is no https URL")
        answer = self.http.get(url).raise_for_status().json()
        if not isinstance(answer, dict):
            raise ValueError(f"{url} has no JSON object")
        return answer


def safe(url: str) -> bool:
    """Whether nobody on the way can change what comes from there: https, or this machine itself."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _keys(document: Mapping[str, Any]) -> Mapping[str, PyJWK]:
    """Public keys for signatures, by id. One that we cannot read is left out: others may be all that is needed."""
    found: dict[str, PyJWK] = {}
    for one in document.get("keys") or ():
        if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
            continue
        try:
            found[str(one.get("kid", ""))] = PyJWK.from_dict(one)
        except PyJWTError:
            log.info("key_unreadable", kid=one.get("kid"))
    return found
