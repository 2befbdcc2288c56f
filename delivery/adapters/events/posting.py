"""One POST to an address of the server's configuration, signed as Standard Webhooks. Nothing is followed elsewhere."""

import time
from collections.abc import Callable, Mapping, Sequence

import httpx

from delivery.ports.errors import Refused, Unavailable
from delivery.sources import signing

CALL_SECONDS = 5.0
PATIENT = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Of the receiver's refusals those that its people may mend without us."""
_MOST_SECONDS = 3600.0


class Posting:
    """`secrets`: each signs, so that a receiver may change over to a new one. `ca`: a file with the authorities."""

    def __init__(
        self,
        url: str,
        secrets: Sequence[str],
        ca: str | None = None,
        seconds: float = CALL_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        parts = httpx.URL(url)
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError(f"{url} is no http(s) URL")
        for secret in secrets:
            signing.key(secret)
        self._url, self._secrets, self._now = url, tuple(secrets), now
        self._http = client(ca, seconds=seconds)

    def post(self, identity: str, body: bytes, content_type: str) -> None:
        """Raises Unavailable (again later) or Refused."""
        headers = {"content-type": content_type, **self._signed(identity, body)}
        check(send(self._http, httpx.Request("POST", self._url, content=body, headers=headers)))

    def _signed(self, identity: str, body: bytes) -> dict[str, str]:
        signed = [signing.sign(secret, identity, int(self._now()), body) for secret in self._secrets]
        if not signed:
            return {"webhook-id": identity}
        return signed[0] | {"webhook-signature": " ".join(one["webhook-signature"] for one in signed)}


def client(
    ca: str | None = None, headers: Mapping[str, str] | None = None, seconds: float = CALL_SECONDS
) -> httpx.Client:
    """No redirects, and no proxies or credentials of the environment: what is reached is what is configured."""
    return httpx.Client(
        timeout=seconds,
        follow_redirects=False,
        trust_env=False,
        verify=ca if ca is not None else True,
        headers={"user-agent": "progressive-delivery", **(headers or {})},
    )


def send(http: httpx.Client, request: httpx.Request) -> httpx.Response:
    """The answer, of whose body nothing is read. Raises Unavailable."""
    try:
        answer = http.send(request, stream=True)
        answer.close()
    except httpx.HTTPError as error:
        raise Unavailable(f"{request.url.host} does not answer: {str(error) or type(error).__name__}") from error
    return answer


def check(answer: httpx.Response) -> None:
    """Raises Unavailable or Refused for an answer that is no success."""
    if answer.is_success:
        return
    said = f"{answer.request.url.host} answered {answer.status_code}"
    if answer.has_redirect_location:
        raise Refused(f"{said}: redirects are not followed; configure the address that it points to")
    if answer.is_client_error and answer.status_code not in PATIENT:
        raise Refused(f"{said}: it does not want this event")
    raise Unavailable(said, retry_after(answer))


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the receiver asks for."""
    wanted = answer.headers.get("retry-after", "")
    return min(float(wanted), _MOST_SECONDS) if wanted.isdecimal() else None
