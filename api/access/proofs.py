"""What somebody may show to say who they are: a token of ours, or one of an issuer that the configuration trusts.

A job of CI may show the token of its run at the API, and at sources of webhooks that name its CI.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.access.caller import Caller
from api.access.keyring import Keyring
from api.oidc.verify import ForAnother, Untrusted, Verifier, issuer_of
from delivery.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whose tokens count, and who they make of somebody; `caller` raises Untrusted for who may do nothing here."""

    verifier: Verifier
    caller: Callable[[Mapping[str, Any]], Caller]


class Proofs:
    """Asks the database or an issuer, so it belongs in a thread."""

    def __init__(self, keyring: Keyring, trusted: Sequence[Trusted], clock: Clock) -> None:
        self._keyring = keyring
        self._trusted = tuple(trusted)
        self._clock = clock

    def caller(self, secret: str) -> Caller | None:
        """Who shows this. Raises Untrusted, with the cause, for a token of an issuer that is trusted; Unavailable."""
        judges = _judges(self._trusted, secret)
        return _first(judges, secret, self._clock) if judges else self._keyring.find(secret)


class Senders:
    """Who may send to a source of webhooks by a token, beside those who sign. Asks an issuer, as Proofs does."""

    def __init__(self, trusted: Mapping[str, Sequence[Trusted]], clock: Clock) -> None:
        self._trusted = trusted
        self._clock = clock

    def to(self, source: str) -> bool:
        """Whether this source takes tokens at all."""
        return bool(self._trusted.get(source))

    def caller(self, source: str, secret: str) -> Caller | None:
        """The job that shows this; None for what is no token of an issuer that this source takes them of.

        Raises Untrusted, with the cause, and Unavailable.
        """
        judges = _judges(self._trusted.get(source, ()), secret)
        return _first(judges, secret, self._clock) if judges else None


def _judges(trusted: Sequence[Trusted], secret: str) -> Sequence[Trusted]:
    """Those who can tell about this, by who says to have made it."""
    issuer = issuer_of(secret) if trusted and secret.count(".") == 2 else ""
    return [one for one in trusted if one.verifier.provider.issuer == issuer]


def _first(judges: Sequence[Trusted], secret: str, clock: Clock) -> Caller:
    """One issuer may be trusted for people and for jobs: the audience tells which it is, and whose no is the cause."""
    refused: list[Untrusted] = []
    for one in judges:
        try:
            return one.caller(one.verifier.claims(secret, clock.now()))
        except Untrusted as error:
            refused.append(error)
    raise next((error for error in refused if not isinstance(error, ForAnother)), refused[0])
