"""What comes in from other systems: webhooks, and the buttons of chats."""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery import registry
from delivery.registry import Batch, Source, UnknownName, choose
from delivery.settings import Settings


def sources(settings: Settings) -> Mapping[str, Source | Batch]:
    """The webhook sources by name. Raises UnknownName for a dialect that is not there or a secret that is none."""
    found = {}
    for name, source in settings.sources.items():
        dialect = choose(registry.SOURCES, source.dialect, f"sources.{name} dialect")
        try:
            found[name] = dialect(name, source.secrets)
        except ValueError as error:
            raise UnknownName(f"sources.{name}.secrets: {error}") from None
        if source.ci and not isinstance(found[name], registry.Vouched):
            raise UnknownName(f"sources.{name}.ci: a job sends cloudevents or cdevents, and not {source.dialect}")
    return found


@dataclass(frozen=True)
class SlackApp:
    """The Slack app whose buttons come back to us: over HTTP where it has a signing secret, else by Socket Mode."""

    token: str
    signing_secret: str
    app_token: str
    base_url: str


def slack(settings: Settings) -> SlackApp | None:
    """The first chat of kind slack. Raises UnknownName where it has no token."""
    for name, adapter in settings.notify.items():
        if adapter.kind == "slack":
            given = {"signing_secret": "", "app_token": "", "base_url": registry.SLACK_API, **adapter.arguments}
            try:
                return SlackApp(**given)
            except TypeError as error:
                raise UnknownName(f"notify.{name}: {error}") from error
    return None
