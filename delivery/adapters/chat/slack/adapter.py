"""Port Chat over Slack's Web API: one message a release, edited in place, and a thread of what happened."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from delivery.adapters.chat.slack import blocks
from delivery.ports.chat import NotYet, Place, Post
from delivery.ports.errors import Refused, Unavailable
from delivery.wording.chat import text
from delivery.wording.units import cut

CALL_SECONDS = 5
TEXT_MOST = 4000  # characters that Slack recommends at most; it refuses ten times as many
PACE = 1.0  # seconds between two messages to one channel, which is what Slack asks for

_UNKNOWN: Mapping[str, str] = {
    "invalid_auth": "Slack does not accept the token: put a new one into the server's configuration",
    "not_authed": "Slack does not accept the token: put a new one into the server's configuration",
    "account_inactive": "the app's account is gone: install the app again",
    "token_revoked": "the token was revoked: put a new one into the server's configuration",
    "token_expired": "the token is no longer valid: put a new one into the server's configuration",
}
"""A token may be being replaced: tried again for as long as messages are."""
_REFUSALS: Mapping[str, str] = {
    "channel_not_found": "there is no such channel, or the app is not in it: invite the app, or correct `notify`",
    "not_in_channel": "the app is not in the channel: invite it there",
    "is_archived": "the channel is archived: name another one in `notify`",
    "missing_scope": "the app lacks a right: it needs chat:write (and chat:write.public for channels it is not in)",
    "no_permission": "the app may not write there",
    "restricted_action": "the workspace does not let the app write there",
    "invalid_blocks": "Slack refuses how the message is drawn: a fault of ours, please report it",
    "msg_too_long": "the message is too long for Slack: a fault of ours, please report it",
}


@dataclass(frozen=True, slots=True)
class Root:
    """Where the message is, and the number of the event that it shows."""

    channel: str
    ts: str
    seq: int


class SlackChat:
    """`secret` seals the buttons; `base` is where people reach the API, for links."""

    def __init__(
        self,
        token: str,
        secret: str,
        base_url: str,
        base: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = WebClient(token, base_url=base_url, timeout=CALL_SECONDS, retry_handlers=[])
        self._secret, self._base = secret, base
        self._monotonic = monotonic
        self._spoke: dict[str, float] = {}

    def deliver(self, post: Post, place: Place) -> None:
        """The message of the release shows its newest state, whatever the order in which events are told."""
        self._pace(post.channel)
        root = _root(place.known)
        shown = self._shown(post, root)
        if shown != root:
            place.note(_noted(shown))
        if root is not None or post.message.seq > 1:  # what began the release is in the message itself
            try:
                self._call(
                    "chat_postMessage",
                    channel=shown.channel,
                    thread_ts=shown.ts,
                    text=cut(blocks.line(post), TEXT_MOST),
                )
            except _Gone:
                place.note(_noted(self._posted(post)))

    def _shown(self, post: Post, root: Root | None) -> Root:
        if root is None:
            return self._posted(post)
        if post.message.seq <= root.seq:
            return root
        try:
            self._call("chat_update", channel=root.channel, ts=root.ts, **self._drawn(post))
        except _Gone:
            return self._posted(post)
        return Root(root.channel, root.ts, post.message.seq)

    def _posted(self, post: Post) -> Root:
        sent = self._call("chat_postMessage", channel=post.channel, **self._drawn(post))
        return Root(sent["channel"], sent["ts"], post.message.seq)

    def _drawn(self, post: Post) -> dict[str, Any]:
        return {
            "text": cut(blocks.escaped(text(post.message, post.release, paused=post.paused)), TEXT_MOST),
            "blocks": blocks.message(post, self._secret, self._base),
            "unfurl_links": False,
        }

    def _pace(self, channel: str) -> None:
        now = self._monotonic()
        wait = self._spoke.get(channel, now - PACE) + PACE - now
        if wait > 0:
            raise NotYet(f"{channel} was told something less than {PACE:g} s ago", wait)
        self._spoke[channel] = now

    def _call(self, method: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, method)(**arguments)
        except SlackApiError as error:
            raise _error(error, method) from error
        except (SlackClientError, OSError, ValueError) as error:
            raise Unavailable(f"Slack does not answer to {method}: {error}") from error


class _Gone(Exception):
    """The message that was to be edited or answered is not there any more: somebody deleted it."""


def _noted(root: Root) -> str:
    return json.dumps([root.channel, root.ts, root.seq])


def _root(known: str | None) -> Root | None:
    return Root(*json.loads(known)) if known is not None else None


def _error(error: SlackApiError, method: str) -> Exception:
    response: Any = error.response
    kind = str(response.get("error", "")) if response.status_code != 429 else "ratelimited"
    if kind == "ratelimited":
        after = response.headers.get("Retry-After", "1")
        return Unavailable(f"Slack asks for patience in {method}", float(after) if after.isdecimal() else 1.0)
    if kind in ("message_not_found", "cant_update_message", "thread_not_found"):
        return _Gone()
    if kind in _UNKNOWN:
        return Unavailable(f"{_UNKNOWN[kind]} (Slack: {kind})")
    if kind in _REFUSALS:
        return Refused(f"{_REFUSALS[kind]} (Slack: {kind})")
    return Unavailable(f"Slack fails in {method}: {kind or response.status_code}")
