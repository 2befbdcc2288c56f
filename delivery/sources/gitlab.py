"""GitLab's webhooks: pipeline and deployment that succeeded, proven by a signature or by the secret token in a header.

A signing token (since GitLab 19) signs as Standard Webhooks does. A secret token travels with each request: use HTTPS.
A delivery is known by its whole body: GitLab sends it again as it was. What ran for a fork's merge request starts
nothing: its branch may be called as one of ours, and is nobody's that may release here.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.model.ids import Micros
from delivery.model.notice import Notice
from delivery.sources import json_body, signing
from delivery.sources.errors import Malformed, Unsigned
from delivery.sources.facts import Facts, Payload, in_time, notice, pick

_LEAST_SECRET = 16
_COMMIT = re.compile(r"[0-9a-f]{40,64}$")


@dataclass(frozen=True, slots=True)
class GitLab:
    """A configured source. `secrets` are the webhooks' signing tokens (`whsec_...`) and secret tokens."""

    name: str
    secrets: Sequence[str] = field(repr=False)

    def receive_each(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """The notice in a request; none for an event that starts nothing here. Raises Unsigned or Malformed."""
        verify(headers, body, self.secrets, now)
        payload = json_body.parse(body)
        return [(in_time(_notice(self.name, payload, body), now), body)] if _counts(payload) else []

    def reread(self, body: bytes) -> Notice:
        """The notice in a body that was verified when it came. Raises Malformed."""
        return _notice(self.name, json_body.parse(body), body)


def demand(secrets: Sequence[str]) -> None:
    """Raises ValueError for a secret that could be guessed, or is no signing token though it begins like one."""
    signing_tokens, plain = _kinds(secrets)
    for secret in signing_tokens:
        signing.key(secret)
    if any(len(secret) < _LEAST_SECRET for secret in plain):
        raise ValueError(f"a secret token of a GitLab webhook has {_LEAST_SECRET} characters or more")


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Micros) -> None:
    """Raises Unsigned where neither the signature nor the token is of the secrets. Where it is signed, that decides."""
    lower = {name.lower(): value for name, value in headers.items()}
    signing_tokens, plain = _kinds(secrets)
    if signing_tokens and ("webhook-signature" in lower or not plain):
        signing.verify(headers, body, signing_tokens, now)
        return
    given = lower.get("x-gitlab-token", "")
    if not given:
        raise Unsigned("no header X-Gitlab-Token: set a secret token for the webhook at GitLab, or a signing token")
    # All are compared, so that the time taken does not tell which secret it was.
    if not sum(hmac.compare_digest(secret.encode(), given.encode()) for secret in plain):
        raise Unsigned("the token does not fit: is it the secret of this source?")


def _kinds(secrets: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Signing tokens, which are never sent, and secret tokens, which are."""
    signing_tokens = [secret for secret in secrets if secret.startswith(signing.PREFIX)]
    return signing_tokens, [secret for secret in secrets if secret not in signing_tokens]


def _notice(source: str, payload: Payload, body: bytes) -> Notice:
    event = str(payload.get("object_kind"))
    if event not in _READ:
        raise Malformed("unknown_event", f"this is none of GitLab's events {', '.join(_READ)}", "/object_kind")
    return notice(source, event, body, lambda: _READ[event](payload))


def _counts(payload: Payload) -> bool:
    kind = str(payload.get("object_kind"))
    status = payload.get("status") if kind == "deployment" else pick(payload, "object_attributes", "status")
    return kind in _READ and status == "success" and not _of_a_fork(payload)


def _of_a_fork(payload: Payload) -> bool:
    source, target = (pick(payload, "merge_request", f"{side}_project_id") for side in ("source", "target"))
    return bool(source != target)


def _pipeline(payload: Payload) -> tuple[Facts, object, object]:
    found = payload.get("object_attributes") or {}
    is_tag, ref = found.get("tag") is True, found.get("ref")
    facts = {
        "repository": pick(payload, "project", "path_with_namespace"),
        "branch": None if is_tag else ref,
        "tag": ref if is_tag else None,
        "version": ref.removeprefix("v") if is_tag and isinstance(ref, str) else None,
        "status": found.get("status"),
        "cause": found.get("source"),
        "sha": found.get("sha"),
        "commit": found.get("sha"),
        "number": found.get("iid"),
        "run_url": found.get("url"),
    }
    return facts, pick(payload, "user", "username"), _rfc3339(found.get("finished_at") or found.get("created_at"))


def _deployment(payload: Payload) -> tuple[Facts, object, object]:
    """The whole commit is only in its address."""
    whole = _COMMIT.search(str(payload.get("commit_url") or ""))
    sha = whole[0] if whole else payload.get("short_sha")
    facts = {
        "repository": pick(payload, "project", "path_with_namespace"),
        "environment": payload.get("environment"),
        "tier": payload.get("environment_tier"),
        "branch": payload.get("ref"),
        "status": payload.get("status"),
        "sha": sha,
        "commit": sha,
        "run_url": payload.get("deployable_url"),
    }
    return facts, pick(payload, "user", "username"), _rfc3339(payload.get("status_changed_at"))


def _rfc3339(text: object) -> str | None:
    """GitLab writes `2026-11-24 10:02:11 UTC`, or with `+0200`."""
    if not isinstance(text, str) or len(text) < 20:
        return None
    zone = text[19:].strip()
    offset = "Z" if zone == "UTC" else zone if ":" in zone or zone == "Z" else f"{zone[:3]}:{zone[3:]}"
    return f"{text[:10]}T{text[11:19]}{offset}"


_READ: Mapping[str, Callable[[Payload], tuple[Facts, object, object]]] = {
    "pipeline": _pipeline,
    "deployment": _deployment,
}
