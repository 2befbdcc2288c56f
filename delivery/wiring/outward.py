"""Whom the outbox sends to: people in chats, and other systems."""

from delivery import registry
from delivery.engine.outbox import Receivers
from delivery.model.outward import Subscriber as Concern
from delivery.settings import Settings
from delivery.wiring.adapters import make


def receivers_of(settings: Settings) -> Receivers:
    """The channels and the subscribers. Raises UnknownName for a kind that is not there."""
    base = settings.server.public_url
    chats = {name: make(registry.CHATS, adapter, f"notify.{name}", base) for name, adapter in settings.notify.items()}
    table = registry.SUBSCRIBERS
    others = {name: make(table, one, f"subscribers.{name}", base) for name, one in settings.subscribers.items()}
    return Receivers(chats, others)


def subscribers(settings: Settings) -> tuple[Concern, ...]:
    """Who is concerned by what."""
    return tuple(
        Concern(name, one.services, one.owners, one.clusters, one.events) for name, one in settings.subscribers.items()
    )
