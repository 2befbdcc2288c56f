"""Who is told: chats and other systems."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from delivery.ports.chat import Chat
from delivery.ports.subscriber import Subscriber

SLACK_API = "https://slack.com/api/"


def _apprise_chat(base: str, *, channels: Mapping[str, str]) -> Chat:
    """`channels`: Apprise's addresses by the names that service files use."""
    from delivery.adapters.chat.apprise import AppriseChat

    return AppriseChat(base, channels)


def _console_chat(base: str) -> Chat:
    from delivery.adapters.chat.console import ConsoleChat

    return ConsoleChat()


def _slack_chat(
    base: str, *, token: str, signing_secret: str = "", app_token: str = "", base_url: str = SLACK_API
) -> Chat:
    """The app's bot `token`. The other two are for what comes back: see `wiring.slack`."""
    from delivery.adapters.chat.slack.adapter import SlackChat

    return SlackChat(token, token, base_url, base)


def _webhook(base: str, *, url: str, secrets: Sequence[str], ca: str | None = None) -> Subscriber:
    from delivery.adapters.events.webhook import Webhook

    return Webhook(base, url, secrets, ca)


def _cdevents_out(base: str, *, url: str, secrets: Sequence[str] = (), ca: str | None = None) -> Subscriber:
    """Without `secrets` they are not signed: most receivers of CDEvents know no signature."""
    from delivery.adapters.events.cdevents import CDEvents

    return CDEvents(base, url, secrets, ca)


def _github_out(
    base: str, *, token: str | None = None, app: Mapping[str, str] | None = None, **options: Any
) -> Subscriber:
    """`token`, or an `app` (`id`, `installation`, `key`), may write deployments; the rest is for the adapter."""
    from delivery.adapters.events.github import API, GitHub
    from delivery.adapters.events.github_app import AppToken

    if (token is None) == (app is None):
        raise ValueError("either token or app: a table with id, installation and key")
    if app is None:
        return GitHub(base, lambda: str(token), **options)
    if set(app) != {"id", "installation", "key"}:
        raise ValueError(f"app has {', '.join(sorted(app)) or 'nothing'}; it needs id, installation and key")
    api, ca = options.get("api", API), options.get("ca")
    return GitHub(base, AppToken(api, app["id"], app["installation"], app["key"], ca), **options)


SUBSCRIBERS: Mapping[str, Callable[..., Subscriber]] = {
    "cdevents": _cdevents_out,
    "github": _github_out,
    "webhook": _webhook,
}
"""Kinds of receivers of events: where people reach the API, and the arguments -> the adapter."""
CHATS: Mapping[str, Callable[..., Chat]] = {"apprise": _apprise_chat, "console": _console_chat, "slack": _slack_chat}
"""Kinds of channels: where people reach the API, and the arguments -> the adapter."""
