"""Which event of another system means which release: a rule of the service's owners, applied. Pure.

triggers:
  - source: github
    event: workflow_run
    where: {repository: acme/checkout, workflow: build, branch: main, conclusion: success}
    version: "{sha:7}"
    image: "ghcr.io/acme/checkout:{sha}"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from delivery.model.notice import Happened, Hinted, ReleaseRequested
from delivery.model.version import VersionRef

PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::(\d{1,3}))?\}")
"""`{fact}`, or `{fact:7}` for its first 7 characters."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """`where` has facts of the event and what they have to be; `*` stands for anything, as in `release/*`."""

    source: str
    event: str
    where: Mapping[str, str] = field(default_factory=dict)
    version: str = "{version}"
    image: str | None = None
    cluster: str | None = None
    urgent: bool = False

    def fits(self, source: str, happened: Happened) -> bool:
        """Whether the event is meant."""
        facts = happened.facts
        return (self.source, self.event) == (source, happened.event) and all(
            name in facts and fnmatchcase(facts[name], wanted) for name, wanted in self.where.items()
        )

    def may_fit(self, source: str, hinted: Hinted) -> bool:
        """Whether it could be meant, by the facts that are known before anything is read again."""
        facts = hinted.facts
        return (self.source, self.event) == (source, hinted.event) and all(
            fnmatchcase(facts[name], wanted) for name, wanted in self.where.items() if name in facts
        )

    def request(self, service: str, happened: Happened) -> ReleaseRequested:
        """The release that it means. Raises KeyError with the name of a fact that the event does not have."""
        version = filled(self.version, happened.facts)
        image = filled(self.image, happened.facts) if self.image is not None else happened.facts.get("image")
        return ReleaseRequested(
            service, VersionRef.of(version, image), happened.actor, self.cluster, self.urgent, happened.origin
        )


def filled(template: str, facts: Mapping[str, str]) -> str:
    """The template with its placeholders filled in. Raises KeyError."""

    def fact(match: re.Match[str]) -> str:
        name, most = match.groups()
        return facts[name][: int(most)] if most else facts[name]

    return PLACEHOLDER.sub(fact, template)
