"""Tokens of an issuer (JWT): whether one was made by it, for us, and is valid now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from api.oidc.provider import Provider
from delivery.model.ids import SECOND, Micros

LEEWAY = 60
"""Seconds that clocks may differ by."""
LONGEST = 16 * 1024
_REQUIRED = ("iss", "aud", "sub", "exp", "iat")


class Untrusted(Exception):
    """The token does not count. The text says why and has nothing of the token in it."""


class ForAnother(Untrusted):
    """It is for another audience, of which somebody else may know more."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """`algorithms` are those that count, whatever a token or a key says of itself; none of them is symmetric."""

    provider: Provider
    audience: str
    algorithms: Collection[str]

    def claims(self, token: str, now: Micros) -> Mapping[str, Any]:
        """What a valid token says. Raises Untrusted, and Unavailable where its issuer's keys cannot be read."""
        kid, algorithm = self._head(token)
        if algorithm not in self.algorithms:
            raise Untrusted(f"it is signed by another algorithm than {', '.join(sorted(self.algorithms))}")
        key = self.provider.key(kid)
        if key is None:
            raise Untrusted("its issuer has no such key")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self.algorithms),
                audience=self.audience,
                issuer=self.provider.issuer,
                # Times are ours to check, by the clock that everything goes by.
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidAudienceError:
            raise ForAnother(f"it is not for the audience {self.audience}") from None
        except jwt.PyJWTError as error:
            raise Untrusted(f"its signature or its claims are wrong: {error}") from None
        _check_times(claims, now)
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise Untrusted("it names nobody (sub)")
        return claims

    @staticmethod
    def _head(token: str) -> tuple[str | None, str]:
        if len(token) > LONGEST:
            raise Untrusted(f"it is longer than {LONGEST} bytes")
        try:
            head = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Untrusted("it is no JWT") from None
        kid, algorithm = head.get("kid"), head.get("alg")
        return (kid if isinstance(kid, str) else None), str(algorithm)


def issuer_of(token: str) -> str:
    """Who claims to have made it, to look for the right keys; empty for what is no JWT."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else ""


def _check_times(claims: Mapping[str, Any], now: Micros) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times.values()):
        raise Untrusted("a time in it is no number")
    seconds = now / SECOND
    if seconds >= times["exp"] + LEEWAY:
        raise Untrusted("it is expired")
    if seconds < max(times["iat"], times.get("nbf", 0)) - LEEWAY:
        raise Untrusted("it is not valid yet: is the clock of this machine right?")
