"""A small OpenID Connect provider on loopback: discovery, keys that rotate, the authorization code flow with PKCE."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.serving import serving

CLIENT, SECRET = "delivery", "a secret of the client / with a slash"
LEFT_OUT: Any = object()


def new_key(algorithm: str = "ES256") -> Any:
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    algorithm: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


@dataclass
class Idp:
    """`keys` are shown in the order in which they came; the last one signs. `now` is in seconds. `asked` are paths.
    `secrets` of our client count.

    `asks`: whoever signs in is shown a page, and says yes or no there.
    """

    now: float
    issuer: str = ""
    keys: dict[str, Any] = field(default_factory=lambda: {"k1": new_key()})
    asked: list[str] = field(default_factory=list)
    user: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    wrong: dict[str, Any] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=lambda: {SECRET})
    down: bool = False
    asks: bool = False

    def token(self, aud: str, /, key: Any = None, kid: str | None = None, alg: str = "ES256", **claims: Any) -> str:
        """A signed token; LEFT_OUT takes a claim out."""
        kid = kid or list(self.keys)[-1]
        known = {"iss": self.issuer, "aud": aud, "sub": "s-1", "iat": int(self.now), "exp": int(self.now) + 300}
        told = {name: value for name, value in {**known, **claims}.items() if value is not LEFT_OUT}
        return jwt.encode(told, self.keys[kid] if key is None else key, alg, headers={"kid": kid})

    def rotate(self, kid: str) -> None:
        """A new key signs; the old ones are no longer shown."""
        self.keys = {kid: new_key()}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            **self.wrong,
        }

    def page(self, query: Mapping[str, str]) -> str:
        """Where a browser may say yes, or no."""
        no = f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        links = f'<a id="yes" href="{escape(self.authorize(query))}">Yes</a> <a id="no" href="{escape(no)}">No</a>'
        head = '<!doctype html><title>Provider</title><link rel="icon" href="data:,">'
        return f"{head}<p>Sign in to {escape(query['client_id'])}?</p>{links}"

    def authorize(self, query: Mapping[str, str]) -> str:
        """What a browser is sent back to, once its user has said yes."""
        assert query["response_type"] == "code"
        assert (query["client_id"], query["code_challenge_method"]) == (CLIENT, "S256")
        code = f"code-{len(self.codes)}"
        self.codes[code] = dict(query)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"

    def redeem(self, form: Mapping[str, str], authorization: str) -> dict[str, str] | None:
        """The tokens for a code: once, by the client that has the secret, with the verifier of the challenge."""
        begun = self.codes.pop(form.get("code", ""), None)
        pairs = [f"{CLIENT}:{quote(secret, safe='')}" for secret in self.secrets]
        if begun is None or authorization not in ["Basic " + base64.b64encode(one.encode()).decode() for one in pairs]:
            return None
        digest = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if digest != begun["code_challenge"] or form["redirect_uri"] != begun["redirect_uri"]:
            return None
        return {"id_token": self.token(CLIENT, nonce=begun["nonce"], **self.user), "token_type": "Bearer"}


class Handler(BaseHTTPRequestHandler):
    idp: Idp

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.idp.asked.append(url.path)
        if self.idp.down:
            self._answer(503, {})
        elif url.path == "/.well-known/openid-configuration":
            self._answer(200, self.idp.document())
        elif url.path == "/keys":
            self._answer(200, {"keys": [public(key, kid) for kid, key in self.idp.keys.items()]})
        else:
            self._authorize(dict(parse_qsl(url.query)))

    def _authorize(self, query: Mapping[str, str]) -> None:
        if self.idp.asks:
            self._send(200, "text/html", self.idp.page(query).encode())
            return
        self.send_response(302)
        self.send_header("Location", self.idp.authorize(query))
        self.end_headers()

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        tokens = self.idp.redeem(form, self.headers.get("Authorization", ""))
        self._answer(200, tokens) if tokens else self._answer(400, {"error": "invalid_grant"})

    def _answer(self, status: int, document: object) -> None:
        self._send(status, "application/json", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def provider(now: float) -> Iterator[Idp]:
    """A provider, for as long as the block lasts. Its clock stands still at `now`, in seconds."""
    idp = Idp(now)
    with serving(type("Handler", (Handler,), {"idp": idp})) as port:
        idp.issuer = f"http://127.0.0.1:{port}"
        yield idp
