"""Our client of the Kubernetes API where the real one cannot be brought to it: credentials that cannot be renewed, and
watches that end as soon as they begin."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from delivery.adapters.kube import watch
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.kube.watch import Watch
from delivery.ports.errors import Unavailable
from tests.serving import serving

WHERE = path("v1", "ConfigMap", "shop")
Answer = tuple[int, object]


class Server:
    """Answers as the test says; notes what it was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[str], Answer] = lambda _: (200, {})
        self.asked: list[str] = []


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def kube(server: Server, tmp_path: Path) -> Iterator[Kube]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append(self.path)
            status, document = server.answer(self.path)
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as port:
        file = tmp_path / "kubeconfig"
        named = {"cluster": "one", "user": "one"}
        config = {
            "clusters": [{"name": "one", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "one", "user": {"token": "t"}}],
            "contexts": [{"name": "one", "context": named}],
            "current-context": "one",
        }
        file.write_text(json.dumps(config))
        found = Kube(str(file))
        yield found
        found.close()


@pytest.mark.parametrize("error", [FileNotFoundError("token"), RuntimeError("the plugin says no"), KeyError("expiry")])
def test_credentials_that_cannot_be_renewed_now_are_an_outage_and_no_fault_of_ours(
    kube: Kube, error: Exception
) -> None:
    def renew(_: object) -> None:
        raise error

    kube._access.client().configuration.refresh_api_key_hook = renew
    with pytest.raises(Unavailable, match="no credentials for the Kubernetes API"):
        kube.get(WHERE)


def test_watches_that_end_as_soon_as_they_begin_are_not_begun_all_the_time(
    kube: Kube, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    enough = threading.Event()

    class Pauses(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            paused.append(timeout or 0)
            if len(paused) == 5:
                enough.set()
                self.set()
            return self.is_set()

    server.answer = lambda asked: (
        200,
        None if "watch=true" in asked else {"metadata": {"resourceVersion": "7"}, "items": []},
    )
    seen = Watch(kube, WHERE)
    monkeypatch.setattr(seen, "_ended", Pauses())
    assert seen.view().documents == {}
    assert enough.wait(20)
    assert paused == [*watch.PAUSES, watch.PAUSES[-1], watch.PAUSES[-1]]
    until = time.monotonic() + 10
    while seen.is_running and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert len([one for one in server.asked if "watch=true" in one]) == 5
