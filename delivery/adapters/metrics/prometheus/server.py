"""One Prometheus, or what speaks its API: queries bounded in time and size, and errors in its own words."""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import orjson
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from urllib3.util.retry import Retry

from delivery.adapters.metrics.prometheus.breaker import Breaker
from delivery.model.series import Why
from delivery.ports.metrics import Unmeasured

LARGEST = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_TROUBLE = (OSError, PrometheusApiClientException, ValueError, KeyError, TypeError)
"""What the client raises where there is no answer. Those of `requests` are OSErrors, as is a file that is not there."""
Row: TypeAlias = Mapping[str, Any]
"""As Prometheus' API has it: {"metric": {label: value}, "value": [time, "1"]}, or "values" of a range."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in. `ca` is a file with the certificate authorities to trust instead of the system's."""

    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None


@dataclass(slots=True)
class Asked:
    """What was asked so far: queries, and series in their answers."""

    queries: int = 0
    series: int = 0


class Server:
    """`seconds` bounds each query, here and there. Raises ValueError for an address or access that is none."""

    def __init__(
        self,
        url: str,
        access: Access = Access(),
        seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no http(s) URL")
        if parts.username or parts.password:
            raise ValueError("write username and password as arguments of their own, not into the URL")
        if access.token and access.username:
            raise ValueError("give a token, or username and password, not both")
        self.name = f"Prometheus at {url.rstrip('/')}"
        self.asked = Asked()
        self._seconds = seconds
        self._breaker = Breaker(self.name, monotonic)
        self._client = PrometheusConnect(
            url.rstrip("/"),
            headers={"Authorization": f"Bearer {access.token}"} if access.token else {},
            auth=(access.username, access.password or "") if access.username else None,
            session=_Session(access.ca),
            retry=Retry(total=0, redirect=0),
            method="POST",
        )

    def close(self) -> None:
        self._client.close()

    def query(self, promql: str, seconds: float | None = None) -> Sequence[Row]:
        """The vector at the server's now. Raises Unavailable; a partial answer is none."""
        limit = min(self._seconds, self._seconds if seconds is None else seconds)
        with self._guarded():
            return self._counted(self._client.custom_query(promql, _params(limit), timeout=limit))

    def query_range(self, promql: str, start: int, end: int, step: int) -> Sequence[Row]:
        """The values at each step, both ends included; seconds. Raises Unavailable."""
        since, until = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
        with self._guarded():
            rows = self._client.custom_query_range(
                promql, since, until, f"{step}s", _params(self._seconds), timeout=self._seconds
            )
            return self._counted(rows)

    def _counted(self, rows: Any) -> Sequence[Row]:
        self.asked.queries += 1
        self.asked.series += len(rows)
        found: Sequence[Row] = rows
        return found

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        self._breaker.check()
        try:
            yield
        except _Told as error:  # it answered: another query may well be answered
            self._breaker.worked()
            raise Unmeasured(f"{self.name} {error}", error.why) from error
        except _TROUBLE as error:
            reason = _reason(error)
            self._breaker.failed(reason)
            raise Unmeasured(f"{self.name} does not answer: {reason}", Why.UNAVAILABLE) from error
        self._breaker.worked()


class _Told(Exception):
    """The server answered, and not with what was asked for."""

    def __init__(self, text: str, why: Why = Why.REFUSED) -> None:
        super().__init__(text)
        self.why = why


class _Parsed(requests.Response):
    """An answer that was read and checked already."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.status_code = 200
        self._document = document

    def json(self, **_: Any) -> Any:
        return self._document


class _Session(requests.Session):
    """Queries travel in the body: hundreds of names are too long for a URL. Nothing of the surroundings is used: a
    ~/.netrc would win over the configured access."""

    def __init__(self, ca: str | None) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = ca or True

    def request(  # type: ignore[override]
        self, method: str, url: str, params: Any = None, timeout: float = 10.0, **options: Any
    ) -> requests.Response:
        until = time.monotonic() + timeout
        return super().request(
            method,
            url,
            data=params,
            timeout=timeout,
            stream=True,
            allow_redirects=False,
            hooks={"response": partial(_read, until=until)},
            **options,
        )


def _params(seconds: float) -> dict[str, str]:
    return {"timeout": f"{max(1, round(seconds * 1000))}ms"}


def _read(response: requests.Response, *_: object, until: float, **__: object) -> requests.Response:
    """The whole answer, within time and size, with what the client library would not tell."""
    body = io.BytesIO()
    for chunk in response.iter_content(_CHUNK):
        body.write(chunk)
        if body.tell() > LARGEST:
            response.close()
            raise _Told(f"answers with more than {LARGEST >> 20} MiB: narrow the query with `where`", Why.TOO_MANY)
        if time.monotonic() > until:
            response.close()
            raise requests.Timeout("its answer takes too long")
    return _Parsed(_checked(response, body.getvalue()))


def _checked(response: requests.Response, body: bytes) -> Mapping[str, Any]:
    """The document of an answer that is whole. Parsed once: it may have tens of thousands of series."""
    status = response.status_code
    if 300 <= status < 400:
        raise _Told(f"redirects to {response.headers.get('location', 'nowhere')}: configure that URL, or a way around")
    if status in (401, 403):
        raise _Told(f"refuses us ({status}): is it the right token, or username and password?")
    document = _document(body)
    if status in (400, 422):
        raise _Told(f"refuses the query: {str(document.get('error', body[:200]))[:500]}")
    if status != 200:
        raise requests.HTTPError(f"{status} {str(document.get('error', body[:200].decode(errors='replace')))[:300]}")
    if document.get("status") != "success":
        raise requests.HTTPError(f"this is no Prometheus: {body[:100]!r}")
    if document.get("warnings"):
        raise _Told(f"answers only in part: {'; '.join(map(str, document['warnings']))[:300]}", Why.PARTIAL)
    return document


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(error: Exception) -> str:
    """The innermost cause, which is what a person can act on."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    if isinstance(reason, BaseException):
        inner = reason
    return str(inner)[:300] or type(inner).__name__
