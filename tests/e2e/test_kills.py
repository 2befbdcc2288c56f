"""A part killed in the middle of a release: it is started again, and the release goes on to its right end."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.sandbox.demo.api import Access, Api, Json
from delivery.sandbox.environment import Local, Wanted, running
from delivery.sandbox.load import Load, Wish
from delivery.sandbox.ports import HOST

FILE = """\
service: checkout
cluster: local
workload: {process: checkout, rollback_window: 5s}
tick: 1s
strategies:
  - canary: {steps: [20%, 50%], bake: 4s, min_requests: 20}
gates:
  errors: {ratio: http_errors, dispersion: 1}
"""
WITHIN = 60.0
BAD = ("2.0.1", "2.0.2")
GOOD = ("1.4.1", "1.4.2", "1.4.3", "1.4.4", "1.4.5")
UNNOTICED = (
    ("worker-1", "1.4.2", "promoted"),
    ("worker-1", "2.0.1", "rolled_back"),
    ("api", "1.4.3", "promoted"),
    ("valkey", "1.4.4", "promoted"),
)
NOTICED = (  # by users: there is no second proxy
    ("envoy", "1.4.5", "promoted"),
    ("envoy", "2.0.2", "rolled_back"),
)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Local, Api, Load]]:
    """The first version is stable and under load."""
    every = {**dict.fromkeys(GOOD, 100), **dict.fromkeys(BAD, 5)}
    arguments = [word for version, count in every.items() for word in ("--faults", f"{version}:fail-every={count}")]
    wanted = Wanted(folder, processes={"checkout": arguments})
    async with running(wanted, lambda line: None) as local:
        api = Api(Access(local.api_url, local.proxy_url, local.keys.tokens, local.source, local.keys.secret))
        load = Load(HOST, local.proxy_port, Wish("checkout", 150))
        stop = asyncio.Event()
        try:
            await api.apply("checkout", FILE, "alice")
            await ended(api, await started(api, "1.4.1"))
            sending = asyncio.create_task(load.run(stop=stop))
            yield local, api, load
            stop.set()
            await sending
        finally:
            stop.set()
            await api.aclose()


async def started(api: Api, version: str) -> str:
    answer = await api.deliver("checkout", version, "alice")
    return str(answer["release"]["id"])


async def ended(api: Api, release: str) -> Json:
    async with asyncio.timeout(WITHIN):
        return [now async for now, _ in api.follow(release, "alice")][-1]


async def baking(api: Api, release: str) -> None:
    """Returns when its first stage is proven and measured."""
    async with asyncio.timeout(WITHIN):
        while (await api.release(release, "alice"))["stages"][0]["state"] != "baking":
            await asyncio.sleep(0.05)


def pid(local: Local, part: str) -> int:
    """Of a part, as the supervisor keeps it on file."""
    return int(json.loads((local.directory / "processes.json").read_text())[part][0])


async def survives(local: Local, api: Api, part: str, version: str, state: str) -> None:
    """Kills the part while the first stage is being measured."""
    release = await started(api, version)
    await baking(api, release)
    before = pid(local, part)
    os.kill(before, signal.SIGKILL)
    now = await ended(api, release)
    assert (part, now["state"]) == (part, state), now["text"]
    assert pid(local, part) != before


@pytest.mark.timeout(300)
def test_a_release_survives_the_death_of_every_part(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as (local, api, load):
            for death in UNNOTICED:
                await survives(local, api, *death)
            assert load.counts.failed == {}
            for death in NOTICED:
                await survives(local, api, *death)

    asyncio.run(play())
