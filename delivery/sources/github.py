"""GitHub's webhooks: workflow_run, deployment, release and registry_package, signed by HMAC-SHA256 over the body.

Only what is done and went well counts: a run that succeeded, a release or a package that is published. What ran for a
fork never does: its branch may be called `main` too, and is nobody's that may release here.

The headers that name the event and the delivery are not signed. So the event is told by what the body has, and a
delivery by its whole body: sent again, under whatever id, it is the same.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.model.ids import Micros
from delivery.model.notice import Notice
from delivery.sources import json_body
from delivery.sources.errors import Malformed, Unsigned
from delivery.sources.facts import Facts, Payload, in_time, notice, pick

_LEAST_SECRET = 16
_BOT = "[bot]"
_PREFIX = "sha256="
OURS = "progressive_delivery"
"""What deployments that we have made ourselves have in their payload: they start no release."""


@dataclass(frozen=True, slots=True)
class GitHub:
    """A configured source. `secrets` are those of the webhooks, as they are written there."""

    name: str
    secrets: Sequence[str] = field(repr=False)

    def receive_each(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """The notice in a request; none for an event that starts nothing here. Raises Unsigned or Malformed."""
        verify(headers, body, self.secrets)
        payload = json_body.parse(body)
        return [(in_time(_notice(self.name, payload, body), now), body)] if _counts(payload) else []

    def reread(self, body: bytes) -> Notice:
        """The notice in a body that was verified when it came. Raises Malformed."""
        return _notice(self.name, json_body.parse(body), body)


def demand(secrets: Sequence[str]) -> None:
    """Raises ValueError for a secret that could be guessed."""
    if any(len(secret) < _LEAST_SECRET for secret in secrets):
        raise ValueError(f"a secret of a GitHub webhook has {_LEAST_SECRET} characters or more")


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    """Raises Unsigned where no secret made the signature."""
    lower = {name.lower(): value for name, value in headers.items()}
    given = lower.get("x-hub-signature-256", "")
    if not given.startswith(_PREFIX):
        raise Unsigned("no header X-Hub-Signature-256: set a secret for the webhook at GitHub")
    wanted = [_PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    # All are compared, so that the time taken does not tell which secret it was.
    if not sum(hmac.compare_digest(one.encode(), given.encode()) for one in wanted):
        raise Unsigned("no signature fits: is it the secret of this source?")


def _notice(source: str, payload: Payload, body: bytes) -> Notice:
    event = _event(payload)
    if event is None:
        raise Malformed("unknown_event", f"this is none of GitHub's events {', '.join(_READ)}")
    return notice(source, event, body, lambda: _READ[event](payload))


def _event(payload: Payload) -> str | None:
    """A deployment belongs to a workflow run: of several the first counts, as GitHub's own header has it.

    A deployment's status has the deployment too, and says nothing of a version that is there.
    """
    if "deployment_status" in payload:
        return None
    return next((name for name in _READ if isinstance(payload.get(name), Mapping)), None)


def _counts(payload: Payload) -> bool:
    event = _event(payload)
    if event is None or payload.get("action") not in _DONE[event]:
        return False
    if event == "deployment":
        return not isinstance(pick(payload, "deployment", "payload", OURS), str)
    return event != "workflow_run" or _ran_well(payload)


def _ran_well(payload: Payload) -> bool:
    """A fork that was deleted meanwhile is nobody: neither is that ours."""
    head, here = pick(payload, "workflow_run", "head_repository", "full_name"), pick(payload, "repository", "full_name")
    return bool(head == here) and payload["workflow_run"].get("conclusion") == "success"


def _common(payload: Payload) -> dict[str, object]:
    return {"repository": pick(payload, "repository", "full_name"), "action": payload.get("action")}


def _sender(payload: Payload, *others: object) -> object:
    """Who is behind it: of those whom the event names and who set it off the first that is a person, else the first."""
    named = [one for one in (*others, pick(payload, "sender", "login")) if isinstance(one, str) and one]
    return next((one for one in named if not one.endswith(_BOT)), named[0] if named else None)


def _deployment(payload: Payload) -> tuple[Facts, object, object]:
    found = payload["deployment"]
    facts = {
        "environment": found.get("environment"),
        "branch": found.get("ref"),
        "sha": found.get("sha"),
        "commit": found.get("sha"),
        "task": found.get("task"),
    }
    return _common(payload) | facts, _sender(payload, pick(found, "creator", "login")), found.get("created_at")


def _workflow_run(payload: Payload) -> tuple[Facts, object, object]:
    run = payload["workflow_run"]
    facts = {
        "workflow": run.get("name") or pick(payload, "workflow", "name"),
        "branch": run.get("head_branch"),
        "conclusion": run.get("conclusion"),
        "cause": run.get("event"),
        "sha": run.get("head_sha"),
        "commit": run.get("head_sha"),
        "number": run.get("run_number"),
        "run_url": run.get("html_url"),
    }
    actor = _sender(payload, pick(run, "triggering_actor", "login"), pick(run, "actor", "login"))
    return _common(payload) | facts, actor, run.get("updated_at")


def _release(payload: Payload) -> tuple[Facts, object, object]:
    found = payload["release"]
    tag = found.get("tag_name")
    facts = {
        "tag": tag,
        "version": tag.removeprefix("v") if isinstance(tag, str) else None,
        "branch": found.get("target_commitish"),
        "prerelease": found.get("prerelease"),
        "run_url": found.get("html_url"),
    }
    return _common(payload) | facts, _sender(payload, pick(found, "author", "login")), found.get("published_at")


def _registry_package(payload: Payload) -> tuple[Facts, object, object]:
    package = payload["registry_package"]
    found = package.get("package_version")
    version = found if isinstance(found, Mapping) else {}
    tag = pick(version, "container_metadata", "tag", "name")
    digest = pick(version, "container_metadata", "tag", "digest")
    where = _where(package, version)
    image = f"{where}@{digest}" if where and digest else None
    facts = {
        "package": package.get("name"),
        "type": package.get("package_type"),
        "tag": tag,
        "version": tag or version.get("version"),
        "digest": digest,
        "image": image,
        "sha": version.get("target_oid"),
        "commit": version.get("target_oid"),
    }
    return _common(payload) | facts, _sender(payload, pick(version, "author", "login")), package.get("updated_at")


def _where(package: Payload, version: Payload) -> str | None:
    """The repository of the image: where it is pulled from, without its tag."""
    if isinstance(url := version.get("package_url"), str) and "/" in url:
        path, _, last = url.lower().rpartition("/")
        return f"{path}/{last.partition('@')[0].partition(':')[0]}"
    namespace, name = package.get("namespace") or pick(package, "owner", "login"), package.get("name")
    return f"ghcr.io/{namespace}/{name}".lower() if namespace and name else None


_READ: Mapping[str, Callable[[Payload], tuple[Facts, object, object]]] = {
    "deployment": _deployment,
    "workflow_run": _workflow_run,
    "release": _release,
    "registry_package": _registry_package,
}
_DONE: Mapping[str, tuple[str, ...]] = {
    "deployment": ("created",),
    "workflow_run": ("completed",),
    "release": ("published",),
    "registry_package": ("published", "updated"),
}
