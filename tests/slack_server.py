"""A local server that behaves as Slack's Web API and Socket Mode document it: tokens, limits of blocks, 429, errors.

The real slack_sdk talks to it. It keeps channels as people would see them.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

LIMIT = 10.0
TOKEN, APP_TOKEN = "xoxb-test", "xapp-test"
CHANNELS = {"#checkout-releases": "C0001", "#pay": "C0002"}
JSON = dict[str, Any]


@dataclass
class Message:
    """`edits` counts how often it was changed in place."""

    ts: str
    text: str
    blocks: list[JSON]
    thread: list[str] = field(default_factory=list)
    edits: int = 0

    def buttons(self) -> dict[str, JSON]:
        """By action."""
        return {
            element["action_id"]: element
            for block in self.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }


@dataclass
class Failure:
    """What the next call gets instead of an answer: a status, or an error of Slack's; `after` does the work first."""

    status: int = 200
    error: str = ""
    retry_after: int | None = None
    after: bool = False


class SlackServer:
    """Starts nothing by being made; see `slack_server`."""

    def __init__(self) -> None:
        self.token, self.app_token = TOKEN, APP_TOKEN  # those that count
        self.channels: dict[str, list[Message]] = {identity: [] for identity in CHANNELS.values()}
        self.failures: deque[Failure] = deque()
        self.calls: list[str] = []
        self.refused = 0  # calls with a token that does not count
        self.views: list[JSON] = []
        self.whispers: list[str] = []  # what one person alone sees
        self.away = False
        self.acknowledged: dict[str, JSON | None] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.base = ""
        self._number = 0
        self._loop = asyncio.new_event_loop()

    def channel(self, name: str) -> list[Message]:
        return self.channels[CHANNELS[name]]

    def push(self, kind: str, payload: JSON, envelope: str) -> None:
        """Sends an envelope over Socket Mode, as Slack does when somebody clicks."""
        text = json.dumps({"type": kind, "envelope_id": envelope, "payload": payload, "accepts_response_payload": True})
        asyncio.run_coroutine_threadsafe(self.sockets[-1].send_str(text), self._loop).result(LIMIT)

    def hang_up(self) -> None:
        """Ends every socket, as Slack does every few hours."""
        for socket in list(self.sockets):
            asyncio.run_coroutine_threadsafe(socket.close(), self._loop).result(LIMIT)

    async def api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls.append(method)
        if self.away:
            return web.json_response({"ok": False, "error": "service_unavailable"}, status=503)
        failure = self.failures.popleft() if self.failures else None
        if failure is not None and not failure.after:
            return _failed(failure)
        arguments = await _arguments(request)
        token = self.app_token if method == "apps.connections.open" else self.token
        if request.headers.get("Authorization") != f"Bearer {token}":
            self.refused += 1
            return web.json_response({"ok": False, "error": "invalid_auth"})
        answer = _METHODS[method](self, arguments)
        return web.json_response(answer) if failure is None else _failed(failure)

    def post_message(self, given: JSON) -> JSON:
        channel = CHANNELS.get(given["channel"], given["channel"])
        if channel not in self.channels:
            return {"ok": False, "error": "channel_not_found"}
        if error := _mistake(given.get("blocks", []), given["text"]):
            return {"ok": False, "error": error}
        self._number += 1
        ts = f"1700000000.{self._number:06}"
        if "thread_ts" in given:
            found = self._find(channel, given["thread_ts"])
            if found is None:
                return {"ok": False, "error": "thread_not_found"}
            found.thread.append(given["text"])
        else:
            self.channels[channel].append(Message(ts, given["text"], given["blocks"]))
        return {"ok": True, "channel": channel, "ts": ts}

    def update(self, given: JSON) -> JSON:
        if given["channel"] not in self.channels:
            return {"ok": False, "error": "channel_not_found"}
        found = self._find(given["channel"], given["ts"])
        if found is None:
            return {"ok": False, "error": "message_not_found"}
        if error := _mistake(given["blocks"]):
            return {"ok": False, "error": error}
        found.text, found.blocks, found.edits = given["text"], given["blocks"], found.edits + 1
        return {"ok": True, "channel": given["channel"], "ts": found.ts}

    def open_view(self, given: JSON) -> JSON:
        self.views.append(given["view"])
        return {"ok": True, "view": {"id": f"V{len(self.views)}"}}

    def open_connection(self, given: JSON) -> JSON:
        return {"ok": True, "url": f"{self.base.replace('http', 'ws')}/socket"}

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": len(self.sockets) + 1}))
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                said = json.loads(message.data)
                self.acknowledged[said["envelope_id"]] = said.get("payload")
        self.sockets.remove(socket)
        return socket

    def whisper(self, given: JSON) -> JSON:
        self.whispers.append(given["text"])
        return {"ok": True}

    def _find(self, channel: str, ts: str) -> Message | None:
        return next((one for one in self.channels[channel] if one.ts == ts), None)

    def run(self, ready: Callable[[], None]) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.add_routes(
            [
                web.post("/api/{method}", self.api),
                web.get("/socket", self.socket),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(self._start())
        ready()
        self._loop.run_forever()

    async def _start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(LIMIT)
        self._loop.call_soon_threadsafe(self._loop.stop)


_METHODS: dict[str, Callable[[SlackServer, JSON], JSON]] = {
    "chat.postMessage": SlackServer.post_message,
    "chat.update": SlackServer.update,
    "chat.postEphemeral": SlackServer.whisper,
    "views.open": SlackServer.open_view,
    "apps.connections.open": SlackServer.open_connection,
}


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    server = SlackServer()
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,), name="slack")
    thread.start()
    try:
        assert ready.wait(LIMIT)
        yield server
    finally:
        server.stop()
        thread.join(LIMIT)
        assert not thread.is_alive()
        server._loop.close()


async def _arguments(request: web.Request) -> JSON:
    if request.content_type == "application/json":
        found: JSON = await request.json()
        return found
    return {key: _loaded(str(value)) for key, value in (await request.post()).items()}


def _loaded(value: str) -> Any:
    return json.loads(value) if value[:1] in "[{" else value


def _failed(failure: Failure) -> web.Response:
    headers = {"Retry-After": str(failure.retry_after)} if failure.retry_after is not None else {}
    return web.json_response({"ok": False, "error": failure.error}, status=failure.status, headers=headers)


def _mistake(blocks: list[JSON], text: str = "") -> str:
    """What Slack would say of these blocks, and of the text beside them."""
    if len(text) > 40_000:
        return "msg_too_long"
    too_much = len(blocks) > 50
    for block in blocks:
        if block["type"] == "section":
            too_much |= not 1 <= len(block["text"]["text"]) <= 3000
        elements = block.get("elements", [])
        too_much |= len(elements) > 25
        for element in elements:
            too_much |= len(element["text"]["text"]) > 75 or len(element["value"]) > 2000
            too_much |= len(element["action_id"]) > 255
    return "invalid_blocks" if too_much else ""
