"""The command against the real API, in one process: memory ledger, memory mesh, and time that a test moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import httpx
import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.cli import main, session
from delivery.cli.client import Api
from delivery.machine.evolve import fold
from tests.api.world import ManualClock, World, secret

SERVICE = """\
service: checkout
cluster: local
owners: [team-payments]
workload: {process: checkout}
tick: 10s
strategies:
  - canary: {steps: [5%, 50%], bake: 1m, gates: [errors]}
gates:
  errors: {ratio: http_errors, worse_than: 1.1, min_requests: 50}
"""


class InProcess(httpx.BaseTransport):
    """Hands requests to the application. `before` runs ahead of each, for what has to happen meanwhile."""

    def __init__(self, app: TestClient) -> None:
        self._app = app
        self.before: Callable[[httpx.Request], None] = lambda request: None
        self.sent: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        self.before(request)
        headers = [(name, value) for name, value in request.headers.items() if name != "host"]
        answer = self._app.request(request.method, str(request.url), content=request.read(), headers=headers)
        return httpx.Response(answer.status_code, headers=answer.headers.multi_items(), content=answer.content)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@dataclass
class Shell:
    """Runs commands as somebody would type them."""

    capture: pytest.CaptureFixture[str]
    transport: httpx.BaseTransport

    def __call__(self, *words: str, who: str | None = "olga") -> Ran:
        token = ["--token", secret(who)] if who and "--token" not in words else []
        self.capture.readouterr()
        code = main.run([*words, *token])
        said = self.capture.readouterr()
        return Ran(code, said.out, said.err)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Nothing of the machine's own settings."""
    for name in ("DELIVERY_URL", "DELIVERY_TOKEN", "DELIVERY_CONFIG", "DELIVERY_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DELIVERY_PROFILE", str(tmp_path / "profile.toml"))


@pytest.fixture
def world() -> World:
    clock = ManualClock()
    return World(MemoryLedger(clock, fold), clock)


@pytest.fixture
def transport(world: World) -> Iterator[InProcess]:
    with capture_logs(), TestClient(world.app, base_url="http://127.0.0.1:8080") as app:
        yield InProcess(app)


@pytest.fixture
def sh(transport: InProcess, monkeypatch, capsys) -> Shell:
    monkeypatch.setattr(session, "Api", partial(Api, transport=transport))
    return Shell(capsys, transport)


@pytest.fixture
def checkout(sh: Shell, world: World, tmp_path) -> World:
    """The service applied, 1.4.1 stable, users there."""
    (tmp_path / "checkout.yaml").write_text(SERVICE)
    assert sh("services", "apply", "-f", str(tmp_path / "checkout.yaml")).code == 0
    assert sh("release", "start", "checkout", "1.4.1").code == 0
    world.load("checkout@local")
    world.go(30)
    return world


def mocked(handler: Callable[[httpx.Request], httpx.Response]) -> Callable[..., Api]:
    """For answers that the real API does not give."""
    return partial(Api, transport=httpx.MockTransport(handler))


__all__ = ["SERVICE", "InProcess", "Ran", "Shell", "mocked"]
