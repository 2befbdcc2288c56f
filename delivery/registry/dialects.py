"""Dialects of events that come in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from delivery.model.ids import Micros
from delivery.model.notice import Notice
from delivery.sources import authorization, github, gitlab, signing
from delivery.sources.alertmanager import Alertmanager
from delivery.sources.argocd import ArgoCD
from delivery.sources.cdevents import CDEvents
from delivery.sources.cloudevents import CloudEvents
from delivery.sources.github import GitHub
from delivery.sources.gitlab import GitLab


class Source(Protocol):
    """Who may send events, by a dialect."""

    def receive(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Notice:
        """Verifies the signature over the body as it came, and reads it. Raises Unsigned or Malformed."""

    def reread(self, body: bytes) -> Notice:
        """Reads a stored body again, which was verified when it came. Raises Malformed."""


@runtime_checkable
class Batch(Protocol):
    """A dialect whose requests bring several notices at once, or none."""

    def receive_each(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """As `Source.receive`; each notice comes with a body of its own, from which it can be read again."""

    def reread(self, body: bytes) -> Notice:
        """Reads one of those bodies again. Raises Malformed."""


@runtime_checkable
class Vouched(Protocol):
    """A dialect that a sender may use who has proven itself by other means than the dialect's own."""

    def vouched(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """The notices in a request, each with a body from which it can be read again. Raises Malformed."""


def _cloudevents(name: str, secrets: Sequence[str]) -> Source:
    for secret in secrets:
        signing.key(secret)
    return CloudEvents(name, secrets)


def _alertmanager(name: str, secrets: Sequence[str]) -> Batch:
    for secret in secrets:
        authorization.expected(secret)
    return Alertmanager(name, secrets)


def _argocd(name: str, secrets: Sequence[str]) -> Source:
    for secret in secrets:
        authorization.expected(secret)
    return ArgoCD(name, secrets)


def _github(name: str, secrets: Sequence[str]) -> Batch:
    github.demand(secrets)
    return GitHub(name, secrets)


def _gitlab(name: str, secrets: Sequence[str]) -> Batch:
    gitlab.demand(secrets)
    return GitLab(name, secrets)


def _cdevents(name: str, secrets: Sequence[str]) -> Batch:
    for secret in secrets:
        signing.key(secret)
    return CDEvents(name, secrets)


SOURCES: Mapping[str, Callable[[str, Sequence[str]], Source | Batch]] = {
    "alertmanager": _alertmanager,
    "argocd": _argocd,
    "cdevents": _cdevents,
    "cloudevents": _cloudevents,
    "github": _github,
    "gitlab": _gitlab,
}
"""Dialects: the name of a configured source and its secrets -> its reader. Raises ValueError for a bad secret."""
