"""The size of a body, before anybody parses it: announced or chunked."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem

MAX_BODY = 1024 * 1024
IN_TIME = 30


class BodyLimit:
    """Reads the whole body first, at most MAX_BODY bytes of it, and hands it on in one piece."""

    def __init__(self, app: ASGIApp, most: int = MAX_BODY) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        self._announced(scope)
        try:
            async with asyncio.timeout(IN_TIME):
                body = await self._read(receive)
        except TimeoutError:
            raise Problem("too-slow", f"a body comes within {IN_TIME} seconds", {"Connection": "close"}) from None
        handed = False

        async def replay() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    def _announced(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._most:
                raise self._too_large()

    async def _read(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem("malformed", "the sender went away before the body ended")
            part = message.get("body", b"")
            size += len(part)
            if size > self._most:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self) -> Problem:
        return Problem("too-large", f"a body has at most {self._most} bytes", {"Connection": "close"}, limit=self._most)
