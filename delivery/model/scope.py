"""How far a credential reaches: which services, of whom, where, and for which actions."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

ACTIONS: Final = (
    "start",
    "approve",
    "reject",
    "pause",
    "resume",
    "promote",
    "abort",
    "retry",
    "rollback",
    "apply",
    "delete",
    "break_glass",
    "stop",
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What its holder may change; reading is for the role to say. A list that is empty limits nothing, and all of the
    others must fit. `owners`: at least one of a service's. `clusters`: all that the action is about.
    """

    services: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        return self == EVERYTHING

    def refusal(
        self, action: str, service: str | None, owners: Collection[str], clusters: Collection[str] | None
    ) -> str:
        """Why it does not reach that far; empty where it does. None: every service, or every cluster."""
        if self.actions and action not in self.actions:
            return f"it is for {', '.join(self.actions)} only"
        if self.services and service not in self.services:
            return f"it is for the services {', '.join(self.services)} only"
        if self.owners and not set(self.owners) & set(owners):
            return f"it is for services of {', '.join(self.owners)} only"
        if self.clusters and (clusters is None or not set(clusters) <= set(self.clusters)):
            return f"it is for the clusters {', '.join(self.clusters)} only"
        return ""


EVERYTHING: Final = Scope()
