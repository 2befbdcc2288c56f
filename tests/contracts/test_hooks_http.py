"""Hooks over HTTP against the contract, with a real server; and what only they have."""

import contextlib
import json
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

import pytest

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.hooks import http
from delivery.adapters.hooks.http import AGAIN, SILENT, Host, HttpHooks
from delivery.model.ids import SECOND, Micros
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.hooks import HookAnswer
from delivery.sources.signing import verify
from delivery.testing.contracts.hooks import CALL, HooksContract
from tests.hook_server import SECRET, HookServer, hook_server

PATH = {"host": "platform", "path": "/hooks/migrate"}
WANTED = replace(CALL, params=PATH)
OTHER = "whsec_" + b64encode(b"another secret of the tests, no more").decode()


class Time:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self, server: HookServer) -> None:
        self.server, self.time = server, Time()
        self.params, self.unknown, self.place = PATH, {"host": "gone", "path": "/"}, None
        self.hooks, self.other = (self.adapter(server.url) for _ in range(2))

    def adapter(self, url: str, *secrets: str) -> HttpHooks:
        return HttpHooks({"platform": Host(f"{url}/team", secrets or (SECRET,))}, SystemClock(), self.time)

    def made(self) -> int:
        return len(self.server.copies)

    def told(self, key: str) -> str:
        return json.dumps(self.server.data(key))

    def ends(self, key: str, ok: bool, text: str) -> None:
        self.server.answers[key] = (200 if ok else 422, {}, json.dumps({"message": text}).encode())

    def out_of_reach(self, away: bool) -> None:
        self.server.mute = away
        self.time.now += SILENT

    def until(self, condition) -> None:
        for _ in range(20):
            if condition():
                return
            self.time.now += AGAIN
        raise AssertionError("it never came true")

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.server.answers[CALL.key] = (
            status,
            {name.replace("_", "-"): value for name, value in headers.items()},
            body,
        )


@pytest.fixture
def world() -> Iterator[World]:
    with hook_server() as server:
        yield World(server)


class TestHooks(HooksContract):
    pass


def test_the_path_is_added_to_the_hosts_own(world: World) -> None:
    world.hooks.run(WANTED)
    assert world.server.paths == {CALL.key: "/team/hooks/migrate"}


def test_every_copy_has_the_same_body_and_says_what_it_is_about(world: World) -> None:
    for hooks in (world.hooks, world.other):
        hooks.run(WANTED)
        world.time.now += AGAIN
        hooks.run(WANTED)
    assert world.server.copies == {CALL.key: 4}
    (body,) = world.server.bodies[CALL.key]
    document = json.loads(body)
    assert (document["type"], document["timestamp"]) == ("delivery.hook.v1", "2026-11-24T10:02:11Z")
    assert document["data"] == {**CALL.facts, "timeout_seconds": 300}


def test_each_secret_signs(world: World) -> None:
    assert world.adapter(world.server.url, OTHER, SECRET).run(WANTED).ok is None


def test_who_knows_none_of_our_secrets_may_be_changing_them(world: World) -> None:
    """That says nothing of the attempt: the same message comes again, signed by what is configured then."""
    with pytest.raises(Unavailable, match="it answers 401"):
        world.adapter(world.server.url, OTHER).run(WANTED)
    assert world.adapter(world.server.url, SECRET).run(WANTED).ok is None
    assert world.server.copies == {CALL.key: 1}


def test_it_comes_again_after_the_time_that_was_asked_for(world: World) -> None:
    world.answers(202, b"half way", Retry_After="30")
    assert world.hooks.run(WANTED) == HookAnswer(None, "half way")
    for seconds, copies in ((0, 1), (29, 1), (2, 2)):
        world.time.now += seconds
        world.hooks.run(WANTED)
        assert world.server.copies[CALL.key] == copies


@pytest.mark.parametrize("said", ["0", "999999", "soon", "-1", "", "\u00b2"])
def test_a_time_that_makes_no_sense_is_bounded(world: World, said: str) -> None:
    world.answers(202, Retry_After=said)
    world.hooks.run(WANTED)
    world.hooks.run(WANTED)
    assert world.server.copies[CALL.key] == 1
    world.time.now += http.LATEST
    world.hooks.run(WANTED)
    assert world.server.copies[CALL.key] == 2


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_what_says_nothing_is_asked_again(world: World, status: int) -> None:
    world.answers(status, b"overloaded")
    with pytest.raises(Unavailable, match=f"it answers {status}: overloaded"):
        world.hooks.run(WANTED)
    assert world.hooks.run(WANTED).ok is None, "not before a moment has passed"
    world.ends(CALL.key, True, "done")
    world.time.now += AGAIN
    assert world.hooks.run(WANTED) == HookAnswer(True, "done")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500])
def test_any_other_answer_is_a_failure(world: World, status: int) -> None:
    world.answers(status, b'{"error": "no such table"}')
    assert world.hooks.run(WANTED) == HookAnswer(False, f"it answers {status}: no such table")


def test_a_redirect_leads_nowhere(world: World) -> None:
    with hook_server() as elsewhere:
        world.answers(307, Location=f"{elsewhere.url}/")
        found = world.hooks.run(WANTED)
        assert (found.ok, elsewhere.copies) == (False, {})
        assert "redirects are not followed" in found.words


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", ""),
        (b"12 checks\npassed\x1b[0m", "12 checks passed [0m"),
        (b"<html><body>nginx</body></html>", ""),
        (b'{"title": "no", "detail": "no such table"}', "no such table"),
        (b'{"message": 5}', ""),
        (b"[1]", "[1]"),
        (b"\xff\xfe", "��"),
    ],
)
def test_what_people_read_of_an_answer(world: World, body: bytes, said: str) -> None:
    world.answers(200, body)
    assert world.hooks.run(WANTED) == HookAnswer(True, said)


def test_nobody_reads_a_secret(world: World) -> None:
    world.answers(422, f"{SECRET} is not {SECRET.removeprefix('whsec_')}".encode())
    assert world.hooks.run(WANTED) == HookAnswer(False, "it answers 422: *** is not ***")
    assert SECRET not in repr(Host("http://a", (SECRET,)))


def test_an_endless_answer_is_read_no_further(world: World) -> None:
    world.answers(200, b"x" * (http.LARGEST * 4))
    assert world.hooks.run(WANTED).ok is True


def test_a_host_that_does_not_answer_holds_nobody_up_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(silent.accept()[0]))
        thread.start()
        hooks = world.adapter(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unavailable, match="platform did not answer within"):
            hooks.run(WANTED)
        thread.join()
        with pytest.raises(Unavailable, match="did not answer a moment ago"):
            hooks.run(replace(WANTED, key="another-release"))
        accepted[0].close()


def test_an_answer_that_comes_by_drops_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drop comes in time, all of them would not."""
    monkeypatch.setattr(http, "CALL_SECONDS", 0.3)
    drops, gone = 100, threading.Event()

    def answer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {drops}\r\n\r\n".encode())
            for _ in range(drops):
                connection.sendall(b"x")
                told.append(gone.wait(0.1))

    told: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        try:
            with pytest.raises(Unavailable, match="did not answer within"):
                world.adapter(f"http://127.0.0.1:{listening.getsockname()[1]}").run(WANTED)
            assert len(told) < drops // 2
        finally:
            gone.set()
            thread.join()


def test_one_that_is_not_there_is_named(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Unavailable, match=r"platform cannot be reached: .*refused"):
        world.adapter(f"http://127.0.0.1:{port}").run(WANTED)


def test_a_host_that_was_taken_out_of_the_configuration_is_refused(world: World) -> None:
    with pytest.raises(Refused, match=r"no \[hooks.gone\] any more"):
        world.hooks.run(replace(CALL, params=world.unknown))


def test_the_signature_is_one_that_we_would_take_ourselves(world: World) -> None:
    body = http._body(WANTED)
    now = Micros(1_795_514_531 * SECOND)
    headers = http._signed(Host("http://a", (SECRET, OTHER)), CALL.key, now, body)
    for secret in (SECRET, OTHER):
        assert verify(headers, body, [secret], now) == CALL.key
