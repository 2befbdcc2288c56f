"""The server's configuration: one TOML file, and environment variables for what must not be written into it.

TOML because Python reads it without a library, it has no aliases and guesses no types (`no` stays text), and because
a server's file should not be taken for a service's. Wiring turns this into plain arguments; nothing else reads it.
"""

from delivery.settings.access import Ci, CiKind, CiRule, Limits, Oidc, Person, Token
from delivery.settings.base import Adapter
from delivery.settings.loading import SettingsError, load, parse
from delivery.settings.tables import HookHost, Settings, Source, Subscriber

__all__ = [
    "Adapter", "Ci", "CiKind", "CiRule", "HookHost", "Limits", "Oidc", "Person", "Settings", "SettingsError", "Source",
    "Subscriber", "Token", "load", "parse",
]  # fmt: skip
