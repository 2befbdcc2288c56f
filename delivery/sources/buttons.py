"""What a chat button stands for, sealed, so that a click can be believed without asking anybody.

A button is bound to one release, one step and the traffic that was live when it was drawn: a late click misses.
"""

import hashlib
import hmac
from dataclasses import dataclass

from delivery.model.hold import HoldKind
from delivery.model.ids import ReleaseId
from delivery.sources.errors import Unsigned

ACTIONS = ("approve", "reject", "pause", "resume", "abort", "promote", "retry", "rollback")


@dataclass(frozen=True, slots=True)
class Button:
    """`step` is the stage that an approval would let in; `dseq` what was live; `holds` what a resume would lift."""

    action: str
    release: ReleaseId
    step: int
    dseq: int
    holds: tuple[HoldKind, ...] = ()


def seal(secret: str, button: Button) -> str:
    """The button as text, at most 400 characters."""
    text = f"{button.action}.{button.release}.{button.step}.{button.dseq}"
    if button.holds:
        text += f".{'+'.join(button.holds)}"
    return f"{text}.{_mac(secret, text)}"


def unseal(secret: str, sealed: str) -> Button:
    """Raises Unsigned for anything that was not sealed with this secret."""
    text, _, mac = sealed.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(secret, text).encode()):
        raise Unsigned("this button was not made by this server, or its secret was changed since")
    action, release, step, dseq, *holds = text.split(".")
    named = tuple(HoldKind(kind) for kind in holds[0].split("+")) if holds else ()
    return Button(action, ReleaseId(release), int(step), int(dseq), named)


def _mac(secret: str, text: str) -> str:
    key = hashlib.sha256(b"delivery chat buttons\n" + secret.encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
