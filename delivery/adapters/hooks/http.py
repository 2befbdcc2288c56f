"""Port Hooks over HTTP: a signed POST as Standard Webhooks 1.0.0 describes it, to hosts that the server knows.

An attempt is one message, sent until it is answered: `webhook-id` is the same each time, so that whoever has had it
says how it stands instead of beginning anew. 2xx: done. 202: it still works, ask again. 401 (one of us two may be
changing a secret), 408, 425, 429, 502, 503, 504 and no answer: nothing is known, it is sent again. Any other status:
it has failed.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from delivery.model.ids import SECOND, Micros
from delivery.ports.clock import Clock
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.hooks import HookAnswer, HookCall, words
from delivery.sources.signing import sign

CALL_SECONDS = 5.0
"""What the other side has to answer. Whoever needs longer says 202."""
AGAIN, LATEST = 5.0, 60.0
"""Seconds between two askings where Retry-After says nothing, and the most that it may say."""
SILENT = 15.0
"""Seconds for which a host that did not answer in time is left alone: other releases wait for our threads."""
LARGEST = 16 * 1024
REMEMBERED = 1000
TYPE = "delivery.hook.v1"
_UNKNOWN = frozenset({401, 408, 425, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Host:
    """`url` has no slash at its end; paths are added to it. Each secret signs."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)
    ca: str | None = None


class HttpHooks:
    """Remembers only when it may ask again; what an attempt has come to is the other side's to know."""

    def __init__(
        self, hosts: Mapping[str, Host], clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosts = hosts
        self._clock = clock
        self._monotonic = monotonic
        self._not_before: dict[str, float] = {}
        self._silent: dict[str, float] = {}

    def run(self, call: HookCall) -> HookAnswer:
        name = str(call.params.get("host"))
        host = self._hosts.get(name)
        if host is None:
            raise Refused(f"the server's configuration has no [hooks.{name}] any more")
        if self._monotonic() < self._not_before.get(call.key, 0.0):
            return HookAnswer()
        if self._monotonic() < self._silent.get(name, 0.0):
            raise Unavailable(f"{name} did not answer a moment ago")
        status, headers, body = self._post(name, host, call)
        return self._answer(call, status, headers, words(_hidden(_told(body), host)))

    def _answer(self, call: HookCall, status: int, headers: Mapping[str, str], text: str) -> HookAnswer:
        if status == 202 or status in _UNKNOWN:
            self._later(call.key, headers)
        if status == 202:
            return HookAnswer(None, text)
        if 200 <= status < 300:
            return HookAnswer(True, text)
        told = words(f"it answers {status}" + (f": {text}" if text else ""))
        if status in _UNKNOWN:
            raise Unavailable(told)
        if 300 <= status < 400:
            told = f"it answers {status}: redirects are not followed, configure the address that it leads to"
        return HookAnswer(False, told)

    def _later(self, key: str, headers: Mapping[str, str]) -> None:
        said = headers.get("Retry-After", "")
        wait = min(max(float(said), 1.0), LATEST) if said.isdecimal() else AGAIN
        if len(self._not_before) >= REMEMBERED:
            self._not_before.clear()
        self._not_before[key] = self._monotonic() + wait

    def _post(self, name: str, host: Host, call: HookCall) -> tuple[int, Mapping[str, str], bytes]:
        body = _body(call)
        headers = {"content-type": "application/json", **_signed(host, call.key, self._clock.now(), body)}
        until = time.monotonic() + CALL_SECONDS
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy or a ~/.netrc of the surroundings would be another host
                session.verify = host.ca or True
                address = f"{host.url}{call.params.get('path', '/')}"
                options: dict[str, Any] = {"timeout": CALL_SECONDS, "allow_redirects": False, "stream": True}
                with session.post(address, data=body, headers=headers, **options) as response:
                    return response.status_code, response.headers, _read(response, until)
        except requests.Timeout as error:
            self._silent[name] = self._monotonic() + SILENT
            raise Unavailable(f"{name} did not answer within {CALL_SECONDS:g} s") from error
        except (requests.RequestException, OSError) as error:
            raise Unavailable(f"{name} cannot be reached: {words(_hidden(_reason(error), host))}") from error


def _read(response: requests.Response, until: float) -> bytes:
    body = b""
    for byte in response.iter_content(1):  # a larger piece would be waited for until it is whole, however long
        body += byte
        if len(body) > LARGEST:
            break
        if time.monotonic() > until:
            raise requests.Timeout("its answer takes too long")
    return body[:LARGEST]


def _body(call: HookCall) -> bytes:
    """The same bytes whenever it is sent."""
    begun = datetime.fromtimestamp(call.begun // SECOND, UTC).isoformat().replace("+00:00", "Z")
    document = {"type": TYPE, "timestamp": begun, "data": {**call.facts, "timeout_seconds": call.timeout // SECOND}}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _signed(host: Host, key: str, now: Micros, body: bytes) -> dict[str, str]:
    """The headers, with a signature for each secret: while one replaces another, the other side may have either."""
    each = [sign(secret, key, now // SECOND, body) for secret in host.secrets]
    return {**each[0], "webhook-signature": " ".join(one["webhook-signature"] for one in each)}


def _told(body: bytes) -> str:
    """What the other side says: `message`, `detail`, `error` or `title` of a JSON object, else its text."""
    text = body.decode(errors="replace").strip()
    try:
        found = json.loads(text)
    except ValueError:
        return "" if text.startswith("<") else text
    if not isinstance(found, dict):
        return text
    said = (found.get(name) for name in ("message", "detail", "error", "title"))
    return next((one for one in said if isinstance(one, str) and one), "")


def _reason(error: BaseException) -> str:
    """What it began with, below what libraries have wrapped around it."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__


def _hidden(text: str, host: Host) -> str:
    """Without our secrets, whoever told them."""
    for secret in host.secrets:
        text = text.replace(secret, "***").replace(secret.removeprefix("whsec_"), "***")
    return text
