"""Signatures of Standard Webhooks 1.0.0, symmetric: HMAC-SHA256 over `ID.TIMESTAMP.BODY`, by a shared secret.

Verified over the bytes as they came, before anybody parses them. No secret: nothing passes.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from delivery.model.ids import MINUTE, SECOND, Micros
from delivery.sources.errors import Stale, Unsigned

TOLERANCE = Micros(5 * MINUTE)
"""How far the sender's clock may be off, and how old a copy of a request may be. Older copies meet the dedupe key."""
PREFIX = "whsec_"
_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,256}")  # no full stop: it would let parts of what is signed change sides
_ID_EXPECTED = "1 to 256 visible characters without a full stop"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_MOST_SIGNATURES = 16


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Micros) -> str:
    """The webhook's id, if any signature fits any of the secrets (two while one replaces the other).

    Raises Unsigned, Stale for a time too far from `now`, and ValueError for a secret that is none.
    """
    keys = [key(secret) for secret in secrets]
    if not keys:
        raise Unsigned("no secret is configured for this source, so that nothing can be accepted from it")
    lower = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp, signatures = (_header(lower, name) for name in ("id", "timestamp", "signature"))
    if not _ID.fullmatch(webhook_id):
        raise Unsigned(f"the header webhook-id is none: {_ID_EXPECTED}")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise Unsigned("webhook-timestamp is a number of seconds since 1970")
    given = [part.removeprefix("v1,") for part in signatures.split(" ") if part.startswith("v1,")]
    if not given:
        raise Unsigned("webhook-signature has no signature of version v1")
    wanted = [_signature(one, webhook_id, timestamp, body).encode() for one in keys]
    # All pairs are compared, so that the time taken does not tell which secret it was.
    if not sum(hmac.compare_digest(one, sent.encode()) for one in wanted for sent in given[:_MOST_SIGNATURES]):
        raise Unsigned("the signature does not fit: is it the right secret, over the body exactly as it was sent?")
    _check_time(int(timestamp), now)
    return webhook_id


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers to send a body with. `timestamp` is in seconds. Raises ValueError for a bad secret or id."""
    if not _ID.fullmatch(webhook_id):
        raise ValueError(f"{webhook_id!r} is no webhook id: {_ID_EXPECTED}")
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{_signature(key(secret), webhook_id, str(timestamp), body)}",
    }


def key(secret: str) -> bytes:
    """The bytes of a secret as it is written: `whsec_` and 24 to 64 bytes in base64. Raises ValueError."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a webhook secret is {PREFIX} and base64") from None
    if not secret.startswith(PREFIX) or not 24 <= len(found) <= 64:
        raise ValueError(f"a webhook secret is {PREFIX} and the base64 of 24 to 64 bytes")
    return found


def _header(lower: Mapping[str, str], name: str) -> str:
    value = lower.get(f"webhook-{name}")
    if value is None:
        raise Unsigned(f"the header webhook-{name} is missing")
    return value


def _signature(secret: bytes, webhook_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def _check_time(seconds: int, now: Micros) -> None:
    off = seconds * SECOND - now
    if abs(off) > TOLERANCE:
        which = "in the future" if off > 0 else "ago"
        raise Stale(f"it was signed {abs(off) // SECOND} seconds {which}; at most {TOLERANCE // SECOND} are accepted")
