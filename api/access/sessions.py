"""Browsers that are signed in: a random secret in a cookie, everything else in the database."""

import hmac
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256

from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.access.caller import Caller, Came
from api.access.cookies import Cookies
from api.access.keyring import Keyring
from delivery.model.ids import HOUR, SECOND, Micros
from delivery.ports.access import Access, Session
from delivery.ports.clock import Clock

LASTS = Micros(12 * HOUR)
"""A working day; after it one signs in again."""
_COOKIE = "session"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`csrf` is what forms of this session have to send along; it tells nothing about the cookie."""

    caller: Caller
    csrf: str


class Sessions:
    """The database is asked, so its calls belong in a thread."""

    def __init__(self, access: Access, clock: Clock, keyring: Keyring, cookies: Cookies) -> None:
        self._access = access
        self._clock = clock
        self._keyring = keyring
        self.cookies = cookies

    def open(self, caller: Caller) -> str:
        """Signs somebody in who has proven who they are. The secret for their cookie. Raises Unavailable."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        session = Session(
            _digest(secret),
            caller.came.value,
            self._keyring.kept(caller.name) if caller.came is Came.TOKEN else caller.name,
            caller.principal,
            caller.role,
            caller.groups,
            Micros(now + LASTS),
        )
        self._access.open_session(session, now)
        return secret

    def find(self, secret: str) -> SignedIn | None:
        """Who is behind a cookie now. Raises Unavailable."""
        session = self._access.session(_digest(secret)) if secret else None
        if session is None or session.until <= self._clock.now():
            return None
        caller = self._caller(session)
        if caller is None:
            return None
        return SignedIn(replace(caller, came=Came.PAGE), hmac.digest(secret.encode(), b"csrf", "sha256").hex())

    def _caller(self, session: Session) -> Caller | None:
        """A token that is gone takes its sessions with it, and so does its secret. What a provider said holds until the
        session is over.
        """
        if session.way == Came.TOKEN:
            return self._keyring.signed_in(session.name)
        return Caller(session.name, session.principal, session.role, session.groups, Came.PAGE)

    def close(self, secret: str) -> None:
        self._access.close_session(_digest(secret))

    def secret(self, request: HTTPConnection) -> str:
        """What the browser has in its cookie; empty for one that is not signed in."""
        return self.cookies.get(request, _COOKIE)

    def set_cookie(self, response: Response, secret: str) -> None:
        self.cookies.set(response, _COOKIE, secret, LASTS // SECOND)

    def drop_cookie(self, response: Response) -> None:
        self.cookies.drop(response, _COOKIE)


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
