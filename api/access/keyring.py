"""The tokens that are known, and who comes with them."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from api.access.caller import Caller, of_token
from delivery.settings import Token


class Keyring:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)

    def find(self, secret: str) -> Caller | None:
        """Who has the token with this secret. Looks at every token, so that the time tells nothing."""
        digest = sha256(secret.encode("latin-1", "replace")).hexdigest()
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.sha256, digest):
                found = of_token(token)
        return found

    def named(self, name: str) -> Caller | None:
        """Who has the token of this name; None where it is not valid any more."""
        return next((of_token(token) for token in self._tokens if token.name == name), None)
