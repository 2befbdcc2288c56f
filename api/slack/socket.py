"""Socket Mode: Slack comes to us over a connection that we open, so that no public address is needed."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from api.slack.desk import Desk
from delivery.wiring import SlackApp

T = TypeVar("T")
ANSWER_SECONDS = 2.5
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class Socket:
    """Runs beside the API in threads of its own: a Slack that is away delays nobody else."""

    def __init__(self, app: SlackApp, desk: Desk) -> None:
        web = WebClient(base_url=app.base_url, retry_handlers=[])
        self._client = SocketModeClient(app.app_token, web_client=web, concurrency=4)
        self._client.socket_mode_request_listeners.append(self._listen)
        self._desk = desk
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._connect, name="slack-socket", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is where words are taken down."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._client.close()
        self._thread.join(ANSWER_SECONDS)

    def _connect(self) -> None:
        """Until it works; from then on the client connects again by itself."""
        wait = FIRST_WAIT
        while not self._ended.is_set():
            try:
                self._client.connect()
                return
            except (SlackClientError, OSError, ValueError) as error:
                structlog.get_logger().warning("slack_socket", error=str(error), again_in=wait)
                self._ended.wait(wait)
                wait = min(LONGEST_WAIT, 2 * wait)

    def _listen(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Acknowledged once it is stored: what fails before that is sent again by Slack."""
        try:
            answer = self._answer(request)
        except Exception as error:  # whatever it is, the next envelope must be heard
            structlog.get_logger().error("slack_envelope", kind=request.type, error=repr(error))
            return
        client.send_socket_mode_response(SocketModeResponse(request.envelope_id, answer))

    def _answer(self, request: SocketModeRequest) -> dict[str, Any] | None:
        if request.type == "interactive":
            return self._do(self._desk.interact(request.payload))
        if request.type == "slash_commands":
            return self._do(self._desk.command(request.payload))
        return None

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            raise RuntimeError("a word came before the start")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)
