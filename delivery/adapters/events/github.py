"""Releases as GitHub deployments: one for each commit and cluster, whose status follows the release.

A repository is the one that the server's configuration gives for a service; what an event says of it is not believed.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from delivery.adapters.events.posting import check, client, retry_after
from delivery.adapters.events.summary import page
from delivery.model.event import Phase
from delivery.model.outward import Topic
from delivery.ports.chat import Place
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.subscriber import Fact
from delivery.sources.github import OURS

API = "https://api.github.com"
TASK = "deploy"
_MOST_TEXT = 140  # characters of a status' description
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.\.?$)[A-Za-z0-9._-]+")
_STATES = {Topic.STARTED: "in_progress", Topic.STAGE_REACHED: "in_progress", Topic.NEEDS_PERSON: "in_progress"}
_ENDS = {Phase.PROMOTED: "success", Phase.ROLLED_BACK: "failure", Phase.FAILED_TO_START: "error"}
_ACCEPT = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}


class GitHub:
    """`token` gives the token for the next call. `repository` has a place for the service's name, `repositories` what
    is called otherwise. `base` is the URL under which people reach the API.
    """

    def __init__(
        self,
        base: str,
        token: Callable[[], str],
        repository: str = "",
        repositories: Mapping[str, str] | None = None,
        api: str = API,
        ca: str | None = None,
    ) -> None:
        self._base, self._token, self._api = base, token, api.rstrip("/")
        self._repository, self._repositories = repository, dict(repositories or {})
        if not repository and not self._repositories:
            raise ValueError('repository, such as "acme/{service}", or repositories, a table by service')
        for named in (*self._repositories.values(), *([repository.format(service="x")] if repository else [])):
            if not _REPOSITORY.fullmatch(named):
                raise ValueError(f"{named} is no OWNER/NAME")
        self._http = client(ca, _ACCEPT)

    def tell(self, fact: Fact, place: Place) -> None:
        commit, repository = fact.release.origin.get("commit"), self._repository_of(fact.service)
        if commit is None or repository is None or fact.topic is Topic.WINDOW_CLOSED:
            return  # nothing on GitHub that it could be about
        known = place.known
        if known is None:
            known = self._find(repository, commit, fact) or self._make(repository, commit, fact)
            place.note(known)
        status = {
            "state": _STATES.get(fact.topic) or _ENDS.get(fact.release.phase, "inactive"),
            "description": _cut(fact.text),
            "log_url": page(fact.release, self._base),
            "environment": fact.cluster,
            "auto_inactive": fact.topic is Topic.PROMOTED,
        }
        self._call("POST", f"/repos/{repository}/deployments/{int(known)}/statuses", json=status)

    def _repository_of(self, service: str) -> str | None:
        if service in self._repositories:
            return self._repositories[service]
        return self._repository.format(service=service) if self._repository else None

    def _find(self, repository: str, commit: str, fact: Fact) -> str | None:
        """The one that CI has made already, or that we made before a crash."""
        query = {"sha": commit, "environment": fact.cluster, "per_page": "1"}
        if not re.fullmatch(r"[0-9a-f]{40}", commit):
            query = {"ref": commit, "environment": fact.cluster, "per_page": "1"}
        found = self._call("GET", f"/repos/{repository}/deployments", params=query)
        return str(int(found[0]["id"])) if found else None

    def _make(self, repository: str, commit: str, fact: Fact) -> str:
        wanted = {
            "ref": commit,
            "task": TASK,
            "environment": fact.cluster,
            "description": _cut(f"{fact.service} {fact.release.candidate.version}, release #{fact.release.number}"),
            "auto_merge": False,
            "required_contexts": [],
            "payload": {OURS: fact.release.id},
        }
        return str(int(self._call("POST", f"/repos/{repository}/deployments", json=wanted)["id"]))

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        headers = {"authorization": f"Bearer {self._token()}"}
        try:
            answer = self._http.request(method, f"{self._api}{quote(path, safe='/')}", headers=headers, **arguments)
        except httpx.HTTPError as error:
            raise Unavailable(f"GitHub does not answer: {str(error) or type(error).__name__}") from error
        limited(answer)
        if answer.status_code == 422:
            raise Refused(f"GitHub refuses {method} {path}: {answer.text[:200]}")
        check(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise Unavailable(f"{self._api} is no GitHub API: {error}") from error


def limited(answer: httpx.Response, now: Callable[[], float] = time.time) -> None:
    """Raises Unavailable for as long as GitHub's rate limit asks for."""
    if answer.status_code not in (403, 429) or (
        answer.headers.get("x-ratelimit-remaining") != "0" and "retry-after" not in answer.headers
    ):
        return
    reset = answer.headers.get("x-ratelimit-reset", "")
    until = float(reset) - now() if reset.isdecimal() else None
    raise Unavailable("GitHub's rate limit is used up", retry_after(answer) or (max(1.0, until) if until else None))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
