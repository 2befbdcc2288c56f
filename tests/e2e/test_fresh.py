"""A version that only starts cold, compared with stable and with a copy of stable that starts as cold: a real Envoy."""

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from delivery.adapters.workloads.process import known_as
from delivery.adapters.workloads.records import Record, Records
from delivery.model.ids import target_id
from delivery.model.version import VersionRef
from delivery.sandbox.demo.api import Access, Api
from delivery.sandbox.environment import Local, Wanted, running
from delivery.sandbox.load import Load, Wish
from delivery.sandbox.ports import HOST
from tests.e2e.test_kills import ended, started

FILE = """\
service: checkout
cluster: local
workload: {process: checkout, rollback_window: 2s}
tick: 1s
strategies:
  - canary: {steps: [20%, 40%], bake: 4s, min_requests: 20}
gates:
  slow: {latency: http_duration, above: 100ms, warm_up: 0s, baseline: BASELINE}
"""
COLD, SLOWER = "cold-requests=60,cold-ms=150", "cold-requests=60,cold-ms=150,slow-every=2,slow-ms=150"
WITHIN = 60.0


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Local, Api, Load]]:
    """The first version is stable, under load, and warm by now."""
    faults = {"1.4.1": COLD, "1.4.2": COLD, "1.4.3": COLD, "2.0.1": SLOWER}
    arguments = [word for version, profile in faults.items() for word in ("--faults", f"{version}:{profile}")]
    async with running(Wanted(folder, processes={"checkout": arguments}), lambda line: None) as local:
        api = Api(Access(local.api_url, local.proxy_url, local.keys.tokens, local.source, local.keys.secret))
        load = Load(HOST, local.proxy_port, Wish("checkout", 150))
        stop = asyncio.Event()
        try:
            await api.apply("checkout", FILE.replace("BASELINE", "stable"), "alice")
            await ended(api, await started(api, "1.4.1"))
            sending = asyncio.create_task(load.run(stop=stop))
            await until(lambda: "1.4.1" in load.counts.versions and load.counts.versions["1.4.1"].requests > 200)
            yield local, api, load
            stop.set()
            await sending
        finally:
            stop.set()
            await api.aclose()


def copy_of(local: Local, version: str, release: str) -> Record | None:
    """The process of a release's copy of its stable version, where it runs."""
    name = known_as(target_id("checkout", "local"), VersionRef.of(version).copy_for(release))
    record = Records(local.directory / "versions").load(name)
    return record if record is not None and record.lives() else None


async def compared(local: Local, version: str, release: str) -> int:
    """Returns once the copy has a share of the requests; its process."""

    def asked() -> bool:
        record = copy_of(local, version, release)
        return record is not None and _requests(record) > 20

    await until(asked)
    record = copy_of(local, version, release)
    assert record is not None
    return record.pid


def _requests(record: Record) -> int:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{record.port}/_stats", timeout=5) as answer:
            return int(json.load(answer)["requests"])
    except OSError:  # it has just been started
        return 0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.timeout(300)
def test_a_cold_start_is_no_regression_where_stable_s_copy_starts_as_cold(tmp_path) -> None:
    async def taken_back(local: Local, api: Api) -> None:
        release = await started(api, "1.4.2")
        now = await ended(api, release)
        assert (now["state"], now["cause"]["gate"]) == ("rolled_back", "slow"), "what warm stable makes of it"
        assert copy_of(local, "1.4.1", release) is None

    async def promoted(local: Local, api: Api) -> None:
        await api.apply("checkout", FILE.replace("BASELINE", "fresh"), "alice")
        release = await started(api, "1.4.3")
        await compared(local, "1.4.1", release)
        now = await ended(api, release)
        assert now["state"] == "promoted", now["text"]

    async def found_though_the_copy_died(local: Local, api: Api) -> None:
        release = await started(api, "2.0.1")
        os.kill(await compared(local, "1.4.3", release), signal.SIGKILL)
        now = await ended(api, release)
        assert (now["state"], now["cause"]["gate"]) == ("rolled_back", "slow"), now["text"]

    async def play() -> None:
        async with scene(tmp_path) as (local, api, load):
            await taken_back(local, api)
            await promoted(local, api)
            assert load.counts.failed == {}, "no copy that came or went was felt"
            await found_though_the_copy_died(local, api)

    asyncio.run(play())
