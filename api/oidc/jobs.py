"""Jobs of CI that prove themselves by the token that their run is given, instead of a secret that is shared with it."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from api.access.caller import Caller, Came
from api.oidc.verify import Untrusted
from api.people import People
from delivery.model.role import Role
from delivery.model.scope import Scope
from delivery.settings import Ci, CiKind, CiRule

ACTIONS = ("start",)
STRANGERS = frozenset({
    "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "issues",
    "issue_comment", "discussion", "discussion_comment", "fork", "watch",
    "merge_request_event", "external_pull_request_event",
})  # fmt: skip
"""What sets off a run may be anybody's who can open a pull request or write a comment; some of these runs say the
default branch as their ref all the same. GitHub's and GitLab's words."""


class Jobs:
    """`name` is that of the table in the server's configuration."""

    def __init__(self, name: str, ci: Ci, people: People) -> None:
        self._name = name
        self._ci = ci
        self._people = people

    def caller(self, claims: Mapping[str, Any]) -> Caller:
        """The job, and the person who set it off. Raises Untrusted for one that no rule lets in."""
        read = _github if self._ci.kind is CiKind.GITHUB else _gitlab
        repository, ref, login = read(claims)
        cause = claims.get("event_name") or claims.get("pipeline_source")
        if cause in STRANGERS:
            raise Untrusted(f"the run was set off by {cause}, which people without rights to {repository} can cause")
        fitting = [rule for rule in self._ci.rules if _fits(rule, repository, ref)]
        if not fitting:
            raise Untrusted(f"no rule of [ci.{self._name}] is for {repository} at {ref}")
        scopes = tuple(Scope(rule.services, (), rule.clusters, ACTIONS) for rule in fitting)
        principal = self._people.of_login(login)
        return Caller(f"{self._name}:{repository}", principal, Role.OPERATOR, (), Came.CI, scopes, _once(claims))


def _fits(rule: CiRule, repository: str, ref: str) -> bool:
    return repository.lower() in {one.lower() for one in rule.repositories} and any(
        fnmatchcase(ref, pattern) for pattern in rule.refs
    )


def _github(claims: Mapping[str, Any]) -> tuple[str, str, str]:
    return _text(claims, "repository"), _text(claims, "ref"), _text(claims, "actor")


def _gitlab(claims: Mapping[str, Any]) -> tuple[str, str, str]:
    kind, ref = _text(claims, "ref_type"), _text(claims, "ref")
    prefix = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(kind, f"refs/{kind}/")
    return _text(claims, "project_path"), prefix + ref, _text(claims, "user_login")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 400:
        raise Untrusted(f"it has no claim {name}")
    return value


def _once(claims: Mapping[str, Any]) -> str:
    """What tells this token from every other: the same request with it again is the same delivery."""
    told = f"{claims.get('jti', '')} {claims['sub']} {claims['iat']} {claims['exp']}"
    return sha256(told.encode()).hexdigest()
