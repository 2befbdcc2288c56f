"""The token by which a job of GitHub Actions proves itself, asked for anew before it runs out: it lasts minutes."""

import time
from collections.abc import Callable, Generator, Mapping

import httpx

from delivery.cli.errors import CommandError

KEPT = 120.0
"""Seconds for which one is used; GitHub's last at least five minutes."""


class JobToken(httpx.Auth):
    """Raises CommandError where the job may not have one."""

    def __init__(self, environ: Mapping[str, str], audience: str, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            self._url = environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
            self._secret = environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
        except KeyError:
            raise CommandError(
                "this job cannot prove itself: it is no job of GitHub Actions, or lacks a permission",
                "give the job `permissions: {id-token: write}`; on GitLab set DELIVERY_TOKEN from `id_tokens`",
            ) from None
        self._audience, self._clock = audience, clock
        self._token, self._asked = "", float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._clock() - self._asked > KEPT:
            self._renew()
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request

    def _renew(self) -> None:
        headers = {"authorization": f"Bearer {self._secret}"}
        try:
            answer = httpx.get(self._url, params={"audience": self._audience}, headers=headers, timeout=10.0)
            self._token = str(answer.raise_for_status().json()["value"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise httpx.TransportError(f"GitHub gives no token for this job: {error}") from error
        self._asked = self._clock()
