"""What a chat button stands for, sealed, so that a click can be believed without asking anybody.

A button is bound to one release, one step and the traffic that was live when it was drawn: a late click misses.
"""

import hashlib
import hmac
from dataclasses import dataclass

from delivery.model.ids import ReleaseId
from delivery.sources.errors import Unsigned

ACTIONS = ("approve", "reject", "pause", "resume", "abort", "promote", "retry", "rollback")


@dataclass(frozen=True, slots=True)
class Button:
    """`step` is the stage that an approval would let in; `dseq` what was live."""

    action: str
    release: ReleaseId
    step: int
    dseq: int


def seal(secret: str, button: Button) -> str:
    """The button as text, at most 200 characters."""
    text = f"{button.action}.{button.release}.{button.step}.{button.dseq}"
    return f"{text}.{_mac(secret, text)}"


def unseal(secret: str, sealed: str) -> Button:
    """Raises Unsigned for anything that was not sealed with this secret."""
    text, _, mac = sealed.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(secret, text).encode()):
        raise Unsigned("this button was not made by this server, or its secret was changed since")
    action, release, step, dseq = text.split(".")
    return Button(action, ReleaseId(release), int(step), int(dseq))


def _mac(secret: str, text: str) -> str:
    key = hashlib.sha256(b"delivery chat buttons\n" + secret.encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
