"""The load: its rate is its own, users keep their cookies, and every request is counted by who answered it."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest

from delivery.sandbox import load as module
from delivery.sandbox.demo_service import Profile, Server, Service
from delivery.sandbox.load import Jar, Load, Seen, Share, Wish

HEALTHY = Profile()


def loaded(wish, seconds, profile=HEALTHY):
    """The counts after so long against a service of its own."""

    async def run():
        server = Server(Service("1.4.2", profile))
        await server.start()
        load = Load("127.0.0.1", server.port, wish)
        await load.run(seconds)
        await server.stop(0)
        return load.counts

    return asyncio.run(run())


def test_it_counts_by_version_and_says_nothing_failed_where_versions_answered():
    counts = loaded(Wish("checkout", 200, users=10), 0.5, Profile(fail_every=10))
    seen = counts.versions["1.4.2"]
    assert 80 <= counts.sent <= 100
    assert seen.requests == counts.answered == counts.sent
    assert seen.errors == seen.requests // 10
    assert (counts.failed_by_switching, counts.skipped) == (0, 0)
    assert counts.plain()["versions"]["1.4.2"]["users_with_errors"] == len(seen.users_with_errors) > 0


def test_the_rate_does_not_wait_for_slow_answers():
    counts = loaded(Wish("checkout", 100, users=10), 0.6, Profile(latency_ms=400))
    assert 50 <= counts.sent <= 60
    assert counts.answered == counts.sent
    assert counts.versions["1.4.2"].quantile(0.5) == 500


def test_more_than_it_can_hold_is_skipped_and_told(monkeypatch):
    monkeypatch.setattr(module, "IN_FLIGHT", 5)
    counts = loaded(Wish("checkout", 100, users=10), 0.5, Profile(latency_ms=5000 // 10))
    assert counts.skipped > 0
    assert counts.answered == counts.sent == 5


class Stub(asyncio.Protocol):
    """Answers each request with what `reply` makes of it."""

    def __init__(self, reply, opened, connected):
        self.reply, self.opened, self.connected = reply, opened, connected

    def connection_made(self, transport):
        self.transport = transport
        self.connected(transport)
        self.opened.add(transport)

    def data_received(self, data):
        self.transport.write(self.reply(data))

    def connection_lost(self, exc):
        self.opened.discard(self.transport)


def against(reply, wish, seconds, connected=lambda _: None):
    """The counts after so long against a server that answers what it is told to."""

    async def run():
        opened: set[asyncio.BaseTransport] = set()
        server = await asyncio.get_running_loop().create_server(lambda: Stub(reply, opened, connected), "127.0.0.1", 0)
        load = Load("127.0.0.1", server.sockets[0].getsockname()[1], wish)
        await load.run(seconds)
        server.close()
        for transport in tuple(opened):
            transport.close()
        await asyncio.sleep(0)
        return load.counts

    return asyncio.run(run())


def test_answers_that_no_version_made_are_failures_with_their_words():
    reply = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 19\r\n\r\nno healthy upstream"
    counts = against(lambda _: reply, Wish("checkout", 50), 0.2)
    assert counts.versions == {}
    assert set(counts.failed) == {"503 no healthy upstream"}
    assert counts.failed_by_switching == counts.sent > 0


def test_a_connection_that_is_to_close_is_not_used_again():
    """Also by a server that leaves it open: the next request on it might be cut."""
    opened: list[asyncio.BaseTransport] = []

    def reply(_):
        return b"HTTP/1.1 200 OK\r\nx-version: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

    counts = against(reply, Wish("checkout", 50), 0.2, opened.append)
    assert len(opened) == counts.sent > 1


def test_nobody_there_is_a_failure_too():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        load = Load("127.0.0.1", taken.getsockname()[1], Wish("checkout", 50))
        asyncio.run(load.run(0.2))
    assert load.counts.failed_by_switching == load.counts.sent > 0


def test_a_share_of_the_users_sends_a_header_every_time():
    asked = []

    def reply(head):
        asked.append((b"x-beta: true" in head, b"cookie: id=" in head))
        return b"HTTP/1.1 200 OK\r\nx-version: a\r\nset-cookie: id=%d\r\ncontent-length: 0\r\n\r\n" % len(asked)

    wish = Wish("checkout", 200, users=10, shares=(Share("x-beta", "true", 30),))
    counts = against(reply, wish, 0.5)
    users = counts.sent // 10
    assert 3 * users <= sum(beta for beta, _ in asked) <= 3 * (users + 1)
    assert sum(not cookie for _, cookie in asked) == 10, "each user came without a cookie once"


def test_a_jar_keeps_replaces_and_forgets():
    jar = Jar()
    assert jar.headers() == {}
    jar.take(["rel=candidate-7; Path=/; Max-Age=60; HttpOnly", "id=1"])
    jar.take(["rel=stable-7-1; Path=/"])
    assert jar.headers() == {"cookie": "id=1; rel=stable-7-1"}
    jar.take(["rel=; Path=/; Max-Age=0"])
    assert jar.headers() == {"cookie": "id=1"}


def test_quantiles_are_bounds():
    seen = Seen(requests=100)
    seen.within[0], seen.within[3], seen.within[-1] = 50, 49, 1
    assert (seen.quantile(0.5), seen.quantile(0.99), seen.quantile(1)) == (1, 10, 20_000)


@pytest.mark.parametrize("ending", ["time", "sigterm"])
def test_as_a_process_it_leaves_its_counters_in_a_file(tmp_path, ending):
    counters = tmp_path / "load.json"

    async def run():
        server = Server(Service("1.4.2"))
        await server.start()
        command = [sys.executable, "-m", "delivery.sandbox.load", "--port", str(server.port), "--service", "checkout"]
        command += ["--rate", "100", "--counters", str(counters), "--header", "x-beta:true:10"]
        command += ["--seconds", "0.5"] if ending == "time" else []
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        if ending == "sigterm":
            while not counters.exists() or not json.loads(counters.read_text())["answered"]:
                await asyncio.sleep(0.01)
            process.terminate()
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        await server.stop(0)
        return process.returncode, json.loads(out)

    code, counts = asyncio.run(run())
    assert code == 0
    assert counts["versions"]["1.4.2"]["requests"] == counts["sent"] > 0
    assert json.loads(counters.read_text()) == counts
