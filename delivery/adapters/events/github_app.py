"""A GitHub App's own token for an installation: made from its private key, kept until shortly before its end."""

import time
from collections.abc import Callable

import httpx
import jwt

from delivery.adapters.events.posting import check, client
from delivery.ports.errors import Refused, Unavailable

LASTS = 540.0
"""Seconds that what the key signs is good for; GitHub takes ten minutes at most."""
KEPT = 3000.0
"""Seconds that a token is used; GitHub's last an hour."""
SLACK = 60.0  # what the clocks may be off


class AppToken:
    """Gives the token for the next call. Raises Unavailable or Refused."""

    def __init__(
        self,
        api: str,
        app: str,
        installation: str,
        key: str,
        ca: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not installation.isdigit():
            raise ValueError("installation is the number of the App's installation")
        self._url = f"{api.rstrip('/')}/app/installations/{installation}/access_tokens"
        self._app, self._key, self._now = app, key, now
        self._http = client(ca, {"accept": "application/vnd.github+json"})
        self._token, self._until = "", 0.0
        self._signed()  # a key that is none is a mistake of the configuration

    def __call__(self) -> str:
        if self._now() >= self._until:
            self._renew()
        return self._token

    def _renew(self) -> None:
        try:
            answer = self._http.post(self._url, headers={"authorization": f"Bearer {self._signed()}"})
        except httpx.HTTPError as error:
            raise Unavailable(f"GitHub does not answer: {str(error) or type(error).__name__}") from error
        check(answer)
        try:
            self._token = str(answer.json()["token"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"GitHub gave no token for the App: {error!r}") from error
        self._until = self._now() + KEPT

    def _signed(self) -> str:
        now = int(self._now())
        claims = {"iat": now - int(SLACK), "exp": now + int(LASTS), "iss": self._app}
        try:
            return jwt.encode(claims, self._key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise ValueError(f"key is no private key of a GitHub App (PEM): {error}") from error
