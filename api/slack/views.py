"""The dialog that a button opens: what it will do, and one optional reason. Plain JSON."""

from typing import Any

from delivery.sources.slack import REASON, Click
from delivery.wording.action import ACTIONS


def dialog(click: Click, release: str) -> dict[str, Any]:
    """`release` is its headline. The sealed button travels with the dialog."""
    action = ACTIONS[click.button.action]
    effect = action.effect
    if click.button.holds:
        effect = f"Lifts {', '.join(click.button.holds)}. {effect}"
    reason = {"type": "plain_text_input", "action_id": REASON, "max_length": 500}
    return {
        "type": "modal",
        "callback_id": "decision",
        "private_metadata": click.sealed,
        "title": _plain(action.title),
        "submit": _plain(action.title),
        "close": _plain("Not now"),
        "blocks": [
            {"type": "section", "text": _plain(f"{release}\n{effect}")},
            {"type": "input", "block_id": REASON, "optional": True, "label": _plain("Why"), "element": reason},
        ],
    }


def refused(text: str) -> dict[str, Any]:
    """Shown in the dialog, which stays open."""
    return {"response_action": "errors", "errors": {REASON: text[:2000]}}


def private(text: str) -> dict[str, Any]:
    """An answer to a command that only who typed it sees."""
    return {"response_type": "ephemeral", "text": text[:3000]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
