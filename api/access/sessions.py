"""Browsers that are signed in: a random secret in a cookie, everything else in the database."""

import hmac
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256

from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.access.caller import Caller, Came
from api.access.keyring import Keyring
from delivery.model.ids import HOUR, SECOND, Micros
from delivery.ports.access import Access, Session
from delivery.ports.clock import Clock

LASTS = Micros(12 * HOUR)
"""A working day; after it one signs in again."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`csrf` is what forms of this session have to send along; it tells nothing about the cookie."""

    caller: Caller
    csrf: str


class Sessions:
    """`secure`: people come by https. The database is asked, so its calls belong in a thread."""

    def __init__(self, access: Access, clock: Clock, keyring: Keyring, *, secure: bool) -> None:
        self._access = access
        self._clock = clock
        self._keyring = keyring
        self._secure = secure
        # The prefix is the browser's promise that no other host, and nothing unencrypted, has set it.
        self.cookie = "__Host-delivery" if secure else "delivery"

    def open(self, caller: Caller) -> str:
        """Signs somebody in who has proven who they are. The secret for their cookie. Raises Unavailable."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        session = Session(
            _digest(secret),
            caller.came.value,
            caller.name,
            caller.principal,
            caller.role,
            caller.groups,
            Micros(now + LASTS),
        )
        self._access.open_session(session, now)
        return secret

    def find(self, secret: str) -> SignedIn | None:
        """Who is behind a cookie now: a token that is gone takes its sessions with it. Raises Unavailable."""
        session = self._access.session(_digest(secret)) if secret else None
        if session is None or session.until <= self._clock.now():
            return None
        caller = self._keyring.named(session.name)
        if caller is None:
            return None
        return SignedIn(replace(caller, came=Came.PAGE), hmac.digest(secret.encode(), b"csrf", "sha256").hex())

    def close(self, secret: str) -> None:
        self._access.close_session(_digest(secret))

    def secret(self, request: HTTPConnection) -> str:
        """What the browser has in its cookie; empty for one that is not signed in."""
        return request.cookies.get(self.cookie, "")

    def set_cookie(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self.cookie, secret, max_age=LASTS // SECOND, secure=self._secure, httponly=True, samesite="lax"
        )

    def drop_cookie(self, response: Response) -> None:
        response.delete_cookie(self.cookie, secure=self._secure, httponly=True, samesite="lax")


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
