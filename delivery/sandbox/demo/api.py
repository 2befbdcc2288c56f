"""The API as the demo uses it: signed events like those of CI, and what people ask of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from delivery.sandbox.client import VERSION_HEADER
from delivery.sources.signing import sign

Json = dict[str, Any]
EVERY = 0.25
"""Seconds between two looks at a release."""
PATIENCE = 15.0
"""Seconds that the API may be away: the supervisor starts it again within a few."""


class ApiError(Exception):
    """The API refused; the text is its own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """`tokens` are by person; `secret` signs events of the source `source`. Users come in through `proxy`."""

    url: str
    proxy: str
    tokens: Mapping[str, str]
    source: str
    secret: str


class Api:
    """Raises ApiError for a refusal, and httpx.TransportError where nobody answers for too long."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http = httpx.AsyncClient(base_url=access.url, timeout=10.0, trust_env=False)  # past every proxy

    async def aclose(self) -> None:
        await self._http.aclose()

    async def apply(self, service: str, text: str, who: str) -> Json:
        """Applies a service file."""
        headers = {"content-type": "application/yaml"}
        return await self._call("PUT", f"/v1/services/{service}", who, content=text, headers=headers)

    async def deliver(self, service: str, version: str, actor: str) -> Json:
        """The event that CI sends when a version is there, signed as Standard Webhooks."""
        event_id, now = f"demo-{uuid4().hex}", datetime.now(UTC)
        body = json.dumps({
            "specversion": "1.0", "id": event_id, "source": "https://ci.example.org/checkout",
            "type": "delivery.release.requested.v1", "time": now.isoformat(),
            "data": {"service": service, "version": version, "actor": actor},
        }).encode()  # fmt: skip
        headers = sign(self._access.secret, event_id, int(now.timestamp()), body)
        headers = {**headers, "content-type": "application/cloudevents+json"}
        return await self._call("POST", f"/v1/webhooks/{self._access.source}", None, content=body, headers=headers)

    async def say(self, release: str, action: str, who: str, reason: str) -> Json:
        """A person's word to a release."""
        headers = {"idempotency-key": uuid4().hex}
        path = f"/v1/releases/{release}/{action}"
        return await self._call("POST", path, who, json={"reason": reason}, headers=headers)

    async def release(self, release: str, who: str) -> Json:
        return await self._call("GET", f"/v1/releases/{release}", who)

    async def look(self, service: str, headers: Mapping[str, str]) -> str | None:
        """The version that answers a user who sends these headers."""
        answer = await self._http.get(self._access.proxy, headers={"host": service, **headers})
        version: str | None = answer.headers.get(VERSION_HEADER)
        return version

    async def ticks(self, release: str, who: str) -> list[Json]:
        """Everything that was measured of it."""
        found: list[Json] = []
        following: int | None = 0
        while following is not None:
            page = await self._call("GET", f"/v1/releases/{release}/analysis", who, params={"after": following})
            found, following = found + page["ticks"], page["next"]
        return found

    async def follow(self, release: str, who: str) -> AsyncIterator[tuple[Json, list[Json]]]:
        """The release with the events that are new, again and again until it is over."""
        seen = 0
        while True:
            now = await self.release(release, who)
            page = await self._call("GET", f"/v1/releases/{release}/events", who, params={"after": seen})
            events = page["events"]
            seen = events[-1]["seq"] if events else seen
            yield now, events
            if now["finished_at"] and not page["next"]:
                return
            await asyncio.sleep(EVERY)

    async def _call(self, method: str, path: str, who: str | None, **arguments: Any) -> Json:
        headers = dict(arguments.pop("headers", {}))
        if who is not None:
            headers["authorization"] = f"Bearer {self._access.tokens[who]}"
        answer = await self._patiently(method, path, headers=headers, **arguments)
        document: Json = answer.json() if answer.content else {}
        if answer.is_success:
            return document
        raise ApiError(answer.status_code, str(document.get("detail", answer.reason_phrase)))

    async def _patiently(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Asks again while the API is being started anew; what was sent twice is done once."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await self._http.request(method, path, **arguments)
            except httpx.TransportError:
                if asyncio.get_running_loop().time() > until:
                    raise
                await asyncio.sleep(EVERY)
