"""Signing in at the organisation's provider: authorization code with PKCE, state and nonce."""

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from api.oidc.provider import Provider
from api.oidc.verify import Untrusted, Verifier
from delivery.model.ids import Micros
from delivery.ports.errors import Unavailable

LASTS = 600
"""Seconds that somebody may take at the provider."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one browser began; it is kept in that browser alone, so that no other one can end it."""

    state: str
    nonce: str
    verifier: str
    onward: str

    @staticmethod
    def new(onward: str) -> "Attempt":
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return Attempt(state, nonce, verifier, onward)

    def sealed(self) -> str:
        """For a cookie."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @staticmethod
    def opened(cookie: str) -> "Attempt | None":
        try:
            fields = json.loads(base64.urlsafe_b64decode(cookie.encode()))
            attempt = Attempt(**fields)
        except (ValueError, TypeError, RecursionError):
            return None
        return attempt if all(isinstance(one, str) and one for one in asdict(attempt).values()) else None


@dataclass(frozen=True, slots=True)
class Flow:
    """`redirect` is the URL of ours to which the provider sends browsers back. Asks the network: for threads."""

    provider: Provider
    verifier: Verifier
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    redirect: str

    def begin(self, attempt: Attempt) -> str:
        """Where to send the browser. Raises Unavailable."""
        challenge = base64.urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect,
            "scope": " ".join(("openid", *self.scopes)),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        endpoint = self.provider.endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def end(self, attempt: Attempt | None, query: Mapping[str, str], now: Micros) -> Mapping[str, Any]:
        """The claims of who came back. Raises Untrusted and Unavailable."""
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), query.get("state", "").encode()):
            raise Untrusted("it was begun in another browser, or too long ago: try once more")
        if query.get("iss", self.provider.issuer) != self.provider.issuer:
            raise Untrusted("another provider answered")
        if "code" not in query:
            raise Untrusted(f"the provider refused: {query.get('error', 'no code came back')[:100]}")
        claims = self.verifier.claims(self._redeem(query["code"], attempt.verifier), now)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise Untrusted("the provider's answer belongs to another attempt (nonce)")
        if claims.get("azp", self.client_id) != self.client_id:
            raise Untrusted("the provider's answer is for another client (azp)")
        return claims

    def _redeem(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect,
            "client_id": self.client_id,
            "code_verifier": verifier,
        }
        pair = (quote(self.client_id, safe=""), quote(self.client_secret, safe=""))
        proof = httpx.BasicAuth(*pair) if self.client_secret else httpx.USE_CLIENT_DEFAULT
        endpoint = self.provider.endpoint("token_endpoint")
        try:
            answer = self.provider.http.post(endpoint, data=form, auth=proof)
            token = answer.json().get("id_token") if answer.is_success else None
        except (httpx.HTTPError, ValueError, AttributeError) as error:
            text = f"{self.provider.issuer} does not answer: {error}"
            raise Unavailable(text, plain="the provider does not answer") from error
        if not isinstance(token, str):
            raise Untrusted(f"the provider took no code of ours ({answer.status_code})")
        return token
