"""What we ask of Slack while somebody waits: opening a dialog, a word that only one person sees."""

from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from delivery.wiring import SlackApp

CALL_SECONDS = 2
"""Slack gives three seconds for all of it."""


class SlackWeb:
    def __init__(self, app: SlackApp) -> None:
        self.client = WebClient(app.token, base_url=app.base_url, timeout=CALL_SECONDS, retry_handlers=[])

    def open(self, trigger: str, view: dict[str, Any]) -> None:
        """Nothing is lost where it fails: the button is still there."""
        self._try("views_open", trigger_id=trigger, view=view)

    def whisper(self, channel: str, user: str, text: str) -> None:
        """Says something in a channel that this user alone sees."""
        self._try("chat_postEphemeral", channel=channel, user=user, text=text)

    def _try(self, method: str, **arguments: Any) -> None:
        try:
            getattr(self.client, method)(**arguments)
        except (SlackClientError, OSError, ValueError) as error:
            structlog.get_logger().warning("slack_unanswered", method=method, error=str(error))
