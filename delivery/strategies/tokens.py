"""Which token a request has to bear, as a service file writes it: issuer, audiences, and the keys of the issuer."""

import json
from typing import Final

from delivery.model.fields import Fields
from delivery.model.policy import Jwt
from delivery.model.scalars import pattern, text

_KINDS: Final = ("RSA", "EC", "OKP")
_PUBLIC: Final = ("kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y")
_MEMBER = pattern(r"[\x21-\x7e]{1,2000}", "text without spaces")


def token(section: Fields) -> Jwt:
    """The token; mistakes stay in `section`. Keys are written out: proxies fetch nothing that a service file names."""
    keys = [_key(item) for item in section.sub("jwks").subs("keys", least=1)]
    return Jwt(
        issuer=section.text("issuer"),
        jwks=json.dumps({"keys": keys}, sort_keys=True, separators=(",", ":")),
        audiences=section.many("audiences", text(), (), least=1),
    )


def _key(item: Fields) -> dict[str, object]:
    """A public key (RFC 7517). Others are no business of a service file, which everybody may read."""
    kind = item.get("kty", pattern("|".join(_KINDS), f"the kind of a public key: {', '.join(_KINDS)}"))
    found: dict[str, object] = {"kty": kind}
    for name in _PUBLIC[1:]:
        if name == "key_ops" and name in item:
            found[name] = list(item.many(name, _MEMBER))
        elif name in item:
            found[name] = item.get(name, _MEMBER)
    secret = [name for name in item.keys if name in ("d", "p", "q", "dp", "dq", "qi", "k")]
    item.refuse(secret, "belongs to the private half of a key: take it out, and make a new key")
    return found
