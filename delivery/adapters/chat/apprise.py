"""Port Chat over Apprise: Teams, Discord, e-mail, plain webhooks and many more. Messages without buttons, with a link.

What cannot be edited later would be noise if it told everything: it tells where a release begins, each stage, how it
ends, and whenever somebody is needed.
"""

import logging
from collections.abc import Mapping
from typing import Any

import apprise

from delivery.ports.chat import Place, Post
from delivery.ports.errors import Refused, Unavailable
from delivery.wording.chat import text
from delivery.wording.release import headline

TOLD = frozenset({"started", "stage_entered", "promoted", "rollback_begun", "closed"})
_LONGEST = 300  # characters of what the library says of a failure


class AppriseChat:
    """`channels` are Apprise's addresses by the names that service files use. `base` is where people reach the API.

    Redirects are not followed, nothing is kept on disk, and each call ends within a few seconds.
    """

    def __init__(self, base: str, channels: Mapping[str, str]) -> None:
        asset = apprise.AppriseAsset(
            app_id="delivery",
            app_desc="Progressive delivery",
            app_url=base,
            async_mode=False,
            http_redirects=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        self._base, self._channels = base, {name: _address(name, url, asset) for name, url in channels.items()}

    def deliver(self, post: Post, place: Place) -> None:
        message = post.message
        if not message.call and message.topic not in TOLD:
            return
        address = self._channels.get(post.channel)
        if address is None:
            there = ", ".join(sorted(self._channels))
            raise Refused(f"this server's configuration has no channel {post.channel} there; it has: {there}")
        title = f"{'Needed: ' if message.call else ''}{headline(post.release)}"
        body = text(message, post.release, f"{self._base}/releases/{post.release.id}", post.paused)
        if message.call and post.mention:
            body = f"{post.mention}\n{body}"
        _notify(address, title, body, apprise.NotifyType.WARNING if message.call else apprise.NotifyType.INFO)


def _address(name: str, url: str, asset: Any) -> Any:
    found = apprise.Apprise(asset=asset)
    if not found.add(url):
        raise ValueError(f"channels.{name} is no address that Apprise knows, such as msteams:// or mailtos://")
    return found


def _notify(address: Any, title: str, body: str, kind: Any) -> None:
    """The library says only whether it worked; what went wrong it logs."""
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        sent = address.notify(title=title, body=body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        why = said.getvalue().strip() if not sent else ""
    if not sent:
        raise Unavailable(f"the channel did not take it: {why[-_LONGEST:] or 'no reason is given'}")
