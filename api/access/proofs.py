"""What somebody may show to say who they are: a token of ours, or one of an issuer that the configuration trusts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.access.caller import Caller
from api.access.keyring import Keyring
from api.oidc.verify import Untrusted, Verifier, issuer_of
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
        issuer = issuer_of(secret) if self._trusted and secret.count(".") == 2 else ""
        judges = [one for one in self._trusted if one.verifier.provider.issuer == issuer]
        if not judges:
            return self._keyring.find(secret)
        return _first(judges, secret, self._clock)


def _first(judges: Sequence[Trusted], secret: str, clock: Clock) -> Caller:
    """One issuer may be trusted for people and for jobs: the audience tells which it is."""
    refused = Untrusted("")
    for one in judges:
        try:
            return one.caller(one.verifier.claims(secret, clock.now()))
        except Untrusted as error:
            refused = error
    raise refused
