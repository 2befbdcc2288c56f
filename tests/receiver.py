"""A receiver of webhooks on a real socket: it keeps what came, and answers as a test says."""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT = 10.0


@dataclass(frozen=True)
class Came:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """`hangs`: nothing is answered before the receiver is closed."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False


class Receiver:
    """`replies` are given one for each request, then `usual` to each."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.replies: deque[Reply] = deque()
        self.usual = Reply()
        self.url = ""
        self.closed = threading.Event()

    def answer(self, came: Came) -> Reply:
        self.came.append(came)
        return self.replies.popleft() if self.replies else self.usual


@contextmanager
def receiver(made: Receiver | None = None) -> Iterator[Receiver]:
    found = made or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = found.answer(Came(self.command, self.path, headers, body))
            if reply.hangs:
                found.closed.wait(LIMIT)
                return
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST  # noqa: N815 - the server's own way to name it

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        found.closed.set()
        server.shutdown()
        thread.join(LIMIT)
        server.server_close()
