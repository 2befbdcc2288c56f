"""The API over HTTP. Every answer that is no success becomes a CommandError with its cause."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx

from delivery.cli.errors import CommandError, Refusal, of_problem

Json = dict[str, Any]
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PER_PAGE = 100
HERE: Mapping[str, httpx.BaseTransport | None] = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
"""What no proxy is asked for, whatever the environment says."""
_PASSING = frozenset({429, 500, 502, 503, 504})


class Unreachable(CommandError):
    """Nobody answers: unlike a refusal, worth another try."""


class Api:
    """A connection to one server. `transport` is for tests."""

    def __init__(self, url: str, token: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        token = (token or "").strip()
        if not (token.isascii() and token.isprintable()):
            raise CommandError("the token has a character that no token has", "is it a whole file, or several lines?")
        headers = {"accept": "application/json", "user-agent": "delivery-cli"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, transport=transport, mounts=HERE)
        except httpx.InvalidURL as error:
            raise CommandError(f"{url} is no URL: {error}") from error

    @property
    def of_a_job(self) -> bool:
        """Whether its token is signed (JWT), as jobs of CI are given them."""
        return str(self._http.headers.get("authorization", "")).count(".") == 2

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Json:
        return self._json("GET", path, params=params)

    def put(self, path: str, body: object) -> Json:
        return self._json("PUT", path, json=body)

    def lines(self, path: str, params: Mapping[str, Any]) -> Iterator[bytes]:
        """The lines of a long answer, as they come, each with its end."""
        params = {name: value for name, value in params.items() if value is not None}
        rest = b""
        try:
            with self._http.stream("GET", path, params=params) as answer:
                if not answer.is_success:
                    answer.read()
                    raise of_problem(answer.status_code, _problem(answer))
                for part in answer.iter_bytes():
                    *whole, rest = (rest + part).split(b"\n")
                    yield from (line + b"\n" for line in whole)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(f"the API at {self.url} does not answer: {str(error) or type(error).__name__}") from error
        if rest:
            yield rest

    def prove(self, auth: httpx.Auth) -> None:
        """From now on requests prove who sends them by this, not by a token."""
        self._http.headers.pop("authorization", None)
        self._http.auth = auth

    def post(self, path: str, body: object, key: str | None = None) -> Json:
        """With a key of its own, so that it may be sent again where the answer was lost: it is not done twice."""
        headers = {"idempotency-key": key or uuid4().hex}
        try:
            return self._json("POST", path, json=body, headers=headers)
        except Unreachable as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                raise
            return self._json("POST", path, json=body, headers=headers)

    def send(self, method: str, path: str, text: str) -> Json:
        """Sends a service file as it is written, so that mistakes come back with its lines."""
        return self._json(method, path, content=text.encode(), headers={"content-type": "application/yaml"})

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> httpx.Response:
        return self.request("DELETE", path, params=params)

    def pages(self, path: str, key: str, params: Mapping[str, Any], limit: int) -> list[Json]:
        """At most `limit` of the items below `key`, over as many pages as that takes."""
        found: list[Json] = []
        query = {**params, "per_page": min(limit, PER_PAGE)}
        while True:
            page = self.get(path, query)
            found += page[key]
            if not page.get("next") or len(found) >= limit:
                return found[:limit]
            query["cursor"] = page["next"]

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The answer, which is a success. Raises CommandError."""
        params = {name: value for name, value in (arguments.pop("params", None) or {}).items() if value is not None}
        try:
            answer = self._http.request(method, path, params=params or None, **arguments)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(
                f"the API at {self.url} does not answer: {str(error) or type(error).__name__}",
                "is the server running, and is the address right? set it with --url or DELIVERY_URL",
            ) from error
        if answer.is_success:
            return answer
        if answer.has_redirect_location:
            leads = answer.headers["location"]
            raise CommandError(f"{self.url} leads to {leads}", "name the API's own address with --url or DELIVERY_URL")
        raise of_problem(answer.status_code, _problem(answer))

    def _json(self, method: str, path: str, **arguments: Any) -> Json:
        answer = self.request(method, path, **arguments)
        try:
            found = answer.json()
        except ValueError as error:
            raise strange(self.url) from error
        if not isinstance(found, dict):
            raise strange(self.url)
        return found


def strange(url: str, *seen: str) -> CommandError:
    """For an answer that is none of ours; `seen` says what went wrong with it, which may be a fault of ours too."""
    told = "check --url, and `delivery --version` here and where it runs"
    return CommandError(f"{url} answered, but is no delivery API, or one of another version", told, *seen)


def passing(error: CommandError) -> bool:
    """Whether it is trouble that may pass: nobody answers, or somebody in between says that nobody does."""
    return isinstance(error, Unreachable) or (isinstance(error, Refusal) and error.status in _PASSING)


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    text = "".join(answer.text.strip().splitlines()[:1])
    return {"detail": f"the server answered {answer.status_code} {answer.reason_phrase}{text and ': ' + text}"}
