"""The tokens that are known, those of the configuration and those that were handed out, and who comes with them."""

import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

from api.access.caller import Caller, Came
from delivery.model.ids import MINUTE, Micros, Principal
from delivery.ports.access import Access, ApiToken
from delivery.ports.clock import Clock
from delivery.ports.errors import PortError
from delivery.settings import Token

PREFIX = "dlv_"
"""By it scanners find a token that was published by mistake; and nothing else is looked up in the database."""

_MARK = 16  # hex digits of a digest


class Keyring:
    """Everything may ask the database, so it belongs in a thread. Raises Unavailable."""

    def __init__(self, tokens: Sequence[Token], access: Access, clock: Clock) -> None:
        self._configured = tuple(of_settings(token) for token in tokens)
        self._access = access
        self._clock = clock
        self._noted: dict[str, Micros] = {}

    @property
    def configured(self) -> tuple[ApiToken, ...]:
        """Those of the configuration, in the form of all others."""
        return self._configured

    def find(self, secret: str) -> Caller | None:
        """Who has the valid token with this secret."""
        digest, now = digest_of(secret), self._clock.now()
        token = self._of_configuration(digest)
        if token is None and secret.startswith(PREFIX):
            token = self._access.token(digest)
            if token is not None and token.valid(now):
                self._note(token.name, now)
        return _caller(token) if token is not None and token.valid(now) else None

    def kept(self, name: str) -> str:
        """What a session keeps of the token of this name: its secret is part of it, by which somebody signed in."""
        token = self._named(name)
        return f"{name}:{token.digest[:_MARK]}" if token is not None else name

    def signed_in(self, kept: str) -> Caller | None:
        """Who signed in with a token; None where it is not valid any more, or has another secret since."""
        name, _, mark = kept.partition(":")  # the version before kept the name alone
        token = self._named(name)
        if token is None or not token.valid(self._clock.now()) or not token.digest.startswith(mark):
            return None
        return _caller(token)

    def _named(self, name: str) -> ApiToken | None:
        known = next((token for token in self._configured if token.name == name), None)
        return known or self._access.token_named(name)

    def _of_configuration(self, digest: str) -> ApiToken | None:
        """Looks at every token, so that the time tells nothing."""
        found = None
        for token in self._configured:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def _note(self, name: str, now: Micros) -> None:
        """When it was used, to a minute: not every request is to write."""
        if now - self._noted.get(name, Micros(0)) >= MINUTE:
            self._noted[name] = now
            with suppress(PortError):  # a note is no reason to keep an abort waiting
                self._access.token_used(name, now)


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def of_settings(token: Token) -> ApiToken:
    """It is as old as time, and nobody's."""
    return ApiToken(
        token.name,
        token.sha256,
        Principal(token.principal),
        token.role,
        token.groups,
        token.scope,
        Micros(0),
        Principal(""),
        token.until,
    )


def _caller(token: ApiToken) -> Caller:
    return Caller(token.name, token.principal, token.role, token.groups, Came.TOKEN, (token.scope,))
