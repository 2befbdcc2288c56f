"""What Slack sends when somebody presses a button, answers a dialog or types a command -> what they meant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delivery.model.hold import HoldKind
from delivery.model.ids import Principal
from delivery.model.notice import Again, ReleaseAction, Says
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.sources.buttons import Button, unseal
from delivery.sources.errors import Malformed

VIA = "slack"
SIGNALS: Mapping[str, type[PersonSignal]] = {
    "approve": Approve,
    "reject": Reject,
    "pause": Pause,
    "resume": Resume,
    "abort": Abort,
    "promote": PromoteNow,
}
REASON = "reason"
"""The block and the action of the dialog's one input."""


@dataclass(frozen=True, slots=True)
class Click:
    """A button was pressed: a dialog is to ask for the reason. `trigger` is good for three seconds."""

    user: str
    button: Button
    sealed: str
    trigger: str
    channel: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The dialog was sent off. `key` is the dialog's: one that was refused stays open, and may be sent off anew."""

    user: str
    button: Button
    reason: str
    key: str


@dataclass(frozen=True, slots=True)
class Command:
    """`/delivery WORDS`."""

    user: str
    words: tuple[str, ...]
    key: str


def interaction(payload: Any, secret: str) -> Click | Decision | None:
    """What an interaction means; None for one that is not ours to answer. Raises Malformed or Unsigned."""
    try:
        if payload["type"] == "block_actions":
            return _click(payload, secret)
        if payload["type"] == "view_submission":
            return _decision(payload, secret)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise Malformed("slack_payload", f"this is no interaction as Slack sends it: {error!r}") from error
    return None


def command(form: Mapping[str, str]) -> Command:
    """Raises Malformed."""
    try:
        return Command(form["user_id"], tuple(form.get("text", "").split()), form["trigger_id"])
    except KeyError as error:
        raise Malformed("slack_payload", f"this is no command as Slack sends it: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who a Slack user is to us."""

    principal: Principal
    groups: tuple[str, ...]
    admin: bool


def says(decision: Decision, speaker: Speaker) -> Says:
    """The decision as a person's word to a release."""
    button, who = decision.button, speaker.principal
    if button.action in ("retry", "rollback"):
        return Again(button.release, button.action == "rollback", who, decision.reason, VIA)
    if button.action == "resume" and button.holds:
        return ReleaseAction(button.release, resume(speaker, decision.reason, button.dseq, button.holds))
    kind = SIGNALS[button.action]
    signal = kind(who, decision.reason, VIA, speaker.groups, speaker.admin, button.dseq)
    return ReleaseAction(button.release, signal)


def resume(speaker: Speaker, reason: str, dseq: int, holds: tuple[HoldKind, ...]) -> Resume:
    """A resume that lifts these holds."""
    return Resume(speaker.principal, reason, VIA, speaker.groups, speaker.admin, dseq, holds=holds)


def _click(payload: Any, secret: str) -> Click | None:
    action = payload["actions"][0]
    if action["type"] != "button" or "value" not in action:
        return None
    sealed = str(action["value"])
    button = unseal(secret, sealed)
    return Click(payload["user"]["id"], button, sealed, payload["trigger_id"], payload["channel"]["id"])


def _decision(payload: Any, secret: str) -> Decision:
    view = payload["view"]
    value = view["state"]["values"].get(REASON, {}).get(REASON, {}).get("value")
    reason = str(value or "").strip()
    return Decision(payload["user"]["id"], unseal(secret, view["private_metadata"]), reason, f"view:{view['id']}")
