"""A server that answers what a test tells it to, over real HTTP, and keeps what it was asked."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

from tests.serving import serving


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Answers:
    """`reply` writes to the handler itself where it is not (status, document)."""

    url: str = ""
    reply: Callable[[Asked, BaseHTTPRequestHandler], tuple[int, Any] | None] = lambda *_: (200, vector())
    asked: list[Asked] = field(default_factory=list)


def vector(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": list(rows)}, **more}


def row(value: str, at: float = 1000.0, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [at, value]}


@contextmanager
def answering() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, form)
            answers.asked.append(asked)
            told = answers.reply(asked, self)
            if told is not None:
                text = json.dumps(told[1]).encode()
                self.send_response(told[0])
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as port:
        answers.url = f"http://127.0.0.1:{port}"
        yield answers
