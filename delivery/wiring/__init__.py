"""The one place where parts meet: settings in, a whole service out. Nothing else reads settings."""

from delivery.wiring.engine import Engine, assemble, build_gate, drains
from delivery.wiring.incoming import SlackApp, slack, sources
from delivery.wiring.outward import subscribers
from delivery.wiring.process import configure_logs, is_migrated, migrate, spare_collector, traces
from delivery.wiring.replay import past
from delivery.wiring.services import check, offers, parse, read
from delivery.wiring.whole import Wired, wire

__all__ = [
    "Engine", "SlackApp", "Wired", "assemble", "build_gate", "check", "configure_logs", "drains", "is_migrated",
    "migrate", "offers", "parse", "past", "read", "slack", "sources", "spare_collector", "subscribers", "traces",
    "wire",
]  # fmt: skip
