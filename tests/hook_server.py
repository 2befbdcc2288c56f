"""A receiver of hooks as the documentation asks for one: it begins at the first copy of a message, and knows each."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from delivery.model.ids import SECOND, Micros
from delivery.sources.errors import Unsigned
from delivery.sources.signing import verify
from tests.serving import serving

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cyB0aGF0IG5vYm9keSB1c2Vz"


@dataclass
class HookServer:
    """What is not signed with its `secret` counts as nothing. `answers` has what is answered to a message by its id,
    `otherwise` what to every other: status, headers, body.

    `copies` counts how often each message came, `bodies` has what it said. `mute`: connections are closed unanswered.
    """

    port: int = 0
    secret: str = ""
    mute: bool = False
    otherwise: tuple[int, dict[str, str], bytes] = (202, {}, b"")
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def data(self, key: str) -> dict[str, object]:
        (body,) = self.bodies[key]
        found: dict[str, object] = json.loads(body)["data"]
        return found

    def came(self, key: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self.lock:
            self.copies[key] += 1
            self.bodies.setdefault(key, set()).add(body)
            self.paths[key] = path
            return self.answers.get(key, self.otherwise)


@contextmanager
def hook_server(secret: str = SECRET) -> Iterator[HookServer]:
    """Whatever is not signed with the secret is answered 401 and counts as nothing."""
    server = HookServer(secret=secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if server.mute:
                self.close_connection = True
                return
            try:
                key = verify(dict(self.headers), body, [server.secret], Micros(int(time.time() * SECOND)))
            except Unsigned:
                self._answer(401, {}, b"")
                return
            self._answer(*server.came(key, self.path, body))

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with serving(Handler) as server.port:
        yield server
