"""The local environment where everything outside is behind a proxy: nothing of it is asked for there."""

import asyncio
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from delivery.sandbox import parts
from delivery.sandbox.demo.api import Access, Api
from tests.serving import serving


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("x-version", "1")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing: pytest shows what fails."""


@pytest.fixture
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.mark.usefixtures("behind_a_proxy")
def test_the_api_is_seen_to_be_ready() -> None:
    with serving(Handler) as port:
        assert parts._says_yes(urllib.request.Request(f"http://127.0.0.1:{port}/"))


@pytest.mark.usefixtures("behind_a_proxy")
def test_the_demo_asks_it_directly() -> None:
    async def look(url: str) -> str | None:
        api = Api(Access(url, url, {"alice": "t"}, "demo", "whsec_x"))
        try:
            return await api.look("checkout", {})
        finally:
            await api.aclose()

    with serving(Handler) as port:
        assert asyncio.run(look(f"http://127.0.0.1:{port}")) == "1"


@pytest.mark.usefixtures("behind_a_proxy")
def test_its_programs_ask_each_other_directly(tmp_path: Path) -> None:
    found = parts.Parts(tmp_path, 0, 0)
    try:
        assert found.worker_program(1, found.port()).env["no_proxy"] == "127.0.0.1,localhost"
    finally:
        found.close()
