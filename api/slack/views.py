"""The dialog that a button opens: what it will do, and one optional reason. Plain JSON."""

from typing import Any

from delivery.sources.slack import REASON, Click

_TITLES = {
    "approve": ("Approve", "The next step is let in, once enough people agreed."),
    "reject": ("Reject", "Everybody goes back to stable."),
    "pause": ("Pause", "Exposure does not rise until somebody resumes. A failing gate still goes back."),
    "resume": (
        "Resume",
        "Exposure may rise again, where nothing else holds it. A freeze takes a reason.",
    ),
    "abort": ("Abort", "Everybody goes back to stable, now."),
    "promote": ("Promote", "The stages that are left are skipped; everybody gets the candidate."),
    "retry": ("Retry", "The same version is released once more, as a new release."),
    "rollback": ("Roll back", "The version before is released again: everybody goes back to it."),
}


def dialog(click: Click, release: str) -> dict[str, Any]:
    """`release` is its headline. The sealed button travels with the dialog."""
    title, effect = _TITLES[click.button.action]
    if click.button.holds:
        effect = f"Lifts {', '.join(click.button.holds)}. {effect}"
    reason = {"type": "plain_text_input", "action_id": REASON, "max_length": 500}
    return {
        "type": "modal",
        "callback_id": "decision",
        "private_metadata": click.sealed,
        "title": _plain(title),
        "submit": _plain(title),
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
