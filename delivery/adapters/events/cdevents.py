"""Facts as CDEvents 0.4 in structured CloudEvents: a release is a pipeline run, its service is deployed or upgraded.

What CDEvents has no word for (a stage, a wait for people, the end of the rollback window) is a custom event.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from delivery.adapters.events.posting import Posting
from delivery.adapters.events.summary import page, summary
from delivery.model.event import Phase
from delivery.model.outward import Topic
from delivery.model.version import VersionRef
from delivery.ports.chat import Place
from delivery.ports.subscriber import Fact
from delivery.wording.units import instant

VERSION = "0.4.1"
CONTENT_TYPE = "application/cloudevents+json"
_CUSTOM = {
    Topic.STAGE_REACHED: "stagereached",
    Topic.NEEDS_PERSON: "needsperson",
    Topic.WINDOW_CLOSED: "windowclosed",
}
_ENDS = frozenset({Topic.PROMOTED, Topic.ROLLED_BACK, Topic.ENDED})
_UNDECIDED = frozenset({Phase.CANCELLED, Phase.SUPERSEDED, Phase.WITHDRAWN})


class CDEvents:
    """`base` is the URL under which people reach the API; it is the events' source too."""

    def __init__(self, base: str, url: str, secrets: Sequence[str] = (), ca: str | None = None) -> None:
        self._base, self._posting = base, Posting(url, secrets, ca)

    def tell(self, fact: Fact, place: Place) -> None:
        """An end is two events; told again after a failure, both have the ids that they had."""
        for event in events(fact, self._base):
            body = json.dumps(event, ensure_ascii=False).encode()
            self._posting.post(event["id"], body, CONTENT_TYPE)


def events(fact: Fact, base: str) -> Iterator[dict[str, Any]]:
    """The CloudEvents that a fact is."""
    if fact.topic in _CUSTOM:
        subject = _subject(fact.release.id, "delivery-release", {})
        yield _event(fact, base, f"dev.cdeventsx.delivery-release.{_CUSTOM[fact.topic]}.0.1.0", subject)
        return
    if (done := _service(fact)) is not None:
        yield _event(fact, base, f"dev.cdevents.service.{done}.0.2.0", _of_service(fact, done), "-service")
    if fact.topic is Topic.STARTED or fact.topic in _ENDS:
        kind = "finished" if fact.topic in _ENDS else "started"
        yield _event(fact, base, f"dev.cdevents.pipelinerun.{kind}.0.2.0", _run(fact, base))


def _service(fact: Fact) -> str | None:
    """What became of the service itself."""
    if fact.topic is Topic.ROLLED_BACK:
        return "rolledback"
    if fact.topic is not Topic.PROMOTED:
        return None
    if fact.release.rolls_back is not None:
        return "rolledback"
    return "upgraded" if fact.release.bound is not None and fact.release.bound.stable is not None else "deployed"


def _of_service(fact: Fact, done: str) -> dict[str, Any]:
    """The artifact is the one that everybody has now."""
    release = fact.release
    stable = release.bound.stable if release.bound else None
    now = stable if fact.topic is Topic.ROLLED_BACK and stable is not None else release.candidate
    content = {"environment": {"id": fact.cluster}, "artifactId": package(fact.service, now)}
    return _subject(fact.service, "service", content)


def _run(fact: Fact, base: str) -> dict[str, Any]:
    content = {"pipelineName": f"release of {fact.service}", "url": page(fact.release, base)}
    if fact.topic in _ENDS:
        content["outcome"] = _outcome(fact)
        if content["outcome"] != "success":
            content["errors"] = fact.text
    return _subject(fact.release.id, "pipelineRun", content)


def _outcome(fact: Fact) -> str:
    if fact.topic is Topic.PROMOTED:
        return "success"
    if fact.release.phase is Phase.FAILED_TO_START:
        return "error"
    return "cancel" if fact.release.phase in _UNDECIDED else "failure"


def _subject(identity: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"id": identity, "type": kind, "content": content}


def _event(fact: Fact, base: str, kind: str, subject: dict[str, Any], suffix: str = "") -> dict[str, Any]:
    identity, at = f"{fact.id}{suffix}", instant(fact.at)
    context = {
        "version": VERSION,
        "id": identity,
        "source": base,
        "type": kind,
        "timestamp": at,
        "chainId": fact.release.id,
    }
    data = {"context": context, "subject": {**subject, "source": base}, "customData": summary(fact, base)}
    return {
        "specversion": "1.0",
        "id": identity,
        "source": base,
        "type": kind,
        "subject": subject["id"],
        "time": at,
        "datacontenttype": "application/json",
        "data": {**data, "customDataContentType": "application/json"},
    }


def package(service: str, version: VersionRef) -> str:
    """A version as a package URL: `pkg:oci/checkout@sha256%3A9f2c?repository_url=ghcr.io%2Facme%2Fcheckout&tag=1`."""
    repository, _, digest = (version.image or "").partition("@")
    name = repository.rpartition("/")[2].partition(":")[0]
    if not name or not digest:
        return f"pkg:generic/{quote(service, safe='')}@{quote(version.version, safe='')}"
    where = repository.removesuffix(":" + repository.rpartition("/")[2].partition(":")[2])
    tag, found = quote(version.version, safe=""), f"{quote(name.lower(), safe='')}@{quote(digest, safe='')}"
    return f"pkg:oci/{found}?repository_url={quote(where, safe='')}&tag={tag}"
