"""A migration, a smoke test and a note at the end, through the whole service: a real hook server, a real Envoy."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from delivery.sandbox.demo.api import Access, Api, Json
from delivery.sandbox.environment import Local, Wanted, running
from tests.e2e.test_kills import ended, pid, started
from tests.hook_server import HookServer, hook_server

FILE = """\
service: checkout
cluster: local
workload: {process: checkout, rollback_window: 5s}
tick: 1s
hooks:
  migrate: {http: platform, path: /migrate, before: start, timeout: 1m}
  smoke: {http: platform, path: /smoke, timeout: 1m}
  tell: {http: platform, path: /released, after: [promoted, reverted]}
strategies:
  - blue_green: {smoke: {hook: smoke}, gates: [], bake: 2s, min_requests: 0}
"""
WITHIN = 60.0


@asynccontextmanager
async def scene(folder) -> AsyncIterator[tuple[Local, Api, HookServer]]:
    """The first version is stable; from now on hooks wait for what the test says."""
    with hook_server() as server:
        async with running(Wanted(folder, hooks={"platform": server.url}), lambda line: None) as local:
            server.secret = local.keys.secret
            server.otherwise = (200, {}, b"")
            api = Api(Access(local.api_url, local.proxy_url, local.keys.tokens, local.source, local.keys.secret))
            try:
                await api.apply("checkout", FILE, "alice")
                assert (await ended(api, await started(api, "1.4.1")))["state"] == "promoted"
                server.otherwise = (202, {"retry-after": "1"}, b"")
                yield local, api, server
            finally:
                await api.aclose()


async def called(server: HookServer, key: str) -> Json:
    """Waits for the hook; what it was told."""
    async with asyncio.timeout(WITHIN):
        while key not in server.copies:
            await asyncio.sleep(0.05)
    return server.data(key)


def answers(server: HookServer, key: str, ok: bool, text: str) -> None:
    server.answers[key] = (200 if ok else 422, {}, json.dumps({"message": text}).encode())


async def states(api: Api, release: str) -> dict[str, str]:
    return {one["hook"]: one["state"] for one in (await api.release(release, "alice"))["hooks"]}


@pytest.mark.timeout(300)
def test_a_release_waits_for_its_hooks_and_an_abort_for_none(tmp_path) -> None:
    async def promoted(local: Local, api: Api, server: HookServer) -> None:
        release = await started(api, "1.4.2")
        told = await called(server, f"{release}-migrate-start-1")
        assert (told["version"], told["stable_version"], told["step"]) == ("1.4.2", "1.4.1", "start")
        assert not [path for path in local.logs.iterdir() if "1.4.2" in path.name], "nothing of it is started"
        os.kill(pid(local, "worker-1"), signal.SIGKILL)
        answers(server, f"{release}-migrate-start-1", True, "4 migrations")
        told = await called(server, f"{release}-smoke-during1-1")
        assert told["stage"] == "blue_green preview"
        candidate = {"x-delivery-preview": "candidate"}
        found = (await api.look("checkout", candidate), await api.look("checkout", {}))
        assert found == ("1.4.2", "1.4.1"), "the smoke test reaches the candidate, and nobody else does"
        answers(server, f"{release}-smoke-during1-1", True, "12 checks")
        await called(server, f"{release}-tell-promoted-1")
        answers(server, f"{release}-tell-promoted-1", True, "")
        assert (await ended(api, release))["state"] == "promoted"
        assert await states(api, release) == {"migrate": "passed", "smoke": "passed", "tell": "passed"}
        assert all(len(bodies) == 1 for bodies in server.bodies.values()), "each copy of a message is the same"

    async def reverted(local: Local, api: Api, server: HookServer) -> None:
        release = await started(api, "1.4.3")
        await called(server, f"{release}-migrate-start-1")
        answers(server, f"{release}-migrate-start-1", True, "")
        await called(server, f"{release}-smoke-during1-1")
        await api.say(release, "abort", "bob", "a test")
        told = await called(server, f"{release}-tell-reverted-1")
        assert told["cause"] == "aborted"
        assert await api.look("checkout", {}) == "1.4.2"
        answers(server, f"{release}-tell-reverted-1", False, "nobody listens")
        assert (await ended(api, release))["state"] == "rolled_back"
        assert await states(api, release) == {"migrate": "passed", "smoke": "left", "tell": "failed"}

    async def failed(local: Local, api: Api, server: HookServer) -> None:
        release = await started(api, "1.4.4")
        await called(server, f"{release}-migrate-start-1")
        answers(server, f"{release}-migrate-start-1", False, "no such table: orders")
        await called(server, f"{release}-tell-reverted-1")
        answers(server, f"{release}-tell-reverted-1", True, "")
        now = await ended(api, release)
        assert (now["state"], now["cause"]["type"]) == ("failed_to_start", "hook_failed")
        assert "migrate: it answers 422: no such table: orders" in now["cause"]["text"]

    async def play() -> None:
        async with scene(tmp_path) as (local, api, server):
            for story in (promoted, reverted, failed):
                await story(local, api, server)

    asyncio.run(play())
