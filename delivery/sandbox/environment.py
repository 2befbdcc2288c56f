"""The whole service on this machine: Valkey, Envoy, SQLite, the API, workers, and versions of services as processes.

async with running(Wanted(directory), print) as local:
    await local.supervisor.during(play(local))     # or: await local.supervisor.run()
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery.adapters.ledger.sql.migrate import upgrade
from delivery.adapters.workloads.process import stop_all
from delivery.sandbox import launch
from delivery.sandbox.claim import RunDirectory
from delivery.sandbox.configuration import SOURCE, Keys, keys_in, profile_text, settings_text, write_private
from delivery.sandbox.envoy import EnvoyMissing, find_envoy
from delivery.sandbox.errors import CannotStart
from delivery.sandbox.logfiles import LogFiles
from delivery.sandbox.parts import Parts
from delivery.sandbox.ports import HOST
from delivery.sandbox.program import Program
from delivery.sandbox.supervisor import Supervisor, supervising
from delivery.sandbox.valkey import ValkeyMissing, find_valkey

Say = Callable[[str], None]
VERSIONS_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """`api_port` and `proxy_port` are wishes, 0 any: where one is taken another one is found, and said.

    `processes` are arguments of the demo service by the name that a service file has for it. `hooks` are URLs that
    hooks may call, by name; what is sent there is signed with the secret of events. `tables` are more tables of the
    configuration, as TOML.
    """

    directory: Path
    api_port: int = 0
    proxy_port: int = 0
    workers: int = 1
    processes: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"checkout": ()})
    hooks: Mapping[str, str] = field(default_factory=dict)
    tables: str = ""


@dataclass(frozen=True, slots=True)
class Local:
    """A running environment. `settings` and `profile` are files for the command; `logs` has one for each program."""

    directory: Path
    api_url: str
    proxy_port: int
    keys: Keys
    settings: Path
    profile: Path
    logs: Path
    worker_metrics: tuple[str, ...]
    supervisor: Supervisor
    source: str = SOURCE

    @property
    def proxy_url(self) -> str:
        return f"http://{HOST}:{self.proxy_port}"


@contextlib.asynccontextmanager
async def running(wanted: Wanted, say: Say) -> AsyncIterator[Local]:
    """The environment, once all of it is ready; no process of it is left when the block ends. In the main thread only.

    Raises CannotStart with the cause and what to do.
    """
    check_parts()
    directory = wanted.directory.resolve()
    with RunDirectory(directory) as claimed, LogFiles(directory / "logs") as logs:
        parts = Parts(directory, wanted.api_port, wanted.proxy_port)
        try:
            async with supervising(claimed, logs.write, say) as supervisor:
                yield await _start(wanted, directory, parts, supervisor, say)
        finally:
            await asyncio.to_thread(stop_all, parts.places.versions, VERSIONS_WITHIN)
            parts.close()


def check_parts() -> None:
    """Raises CannotStart where this machine has no Envoy or no Valkey."""
    try:
        find_envoy()
        find_valkey()
    except (EnvoyMissing, ValkeyMissing) as error:
        raise CannotStart(str(error)) from None


async def _start(wanted: Wanted, directory: Path, parts: Parts, supervisor: Supervisor, say: Say) -> Local:
    """Starts the parts in the order in which they need each other."""
    begun = time.monotonic()
    for wished, got, what in (
        (wanted.api_port, parts.places.api_port, "API"),
        (wanted.proxy_port, parts.envoy.port, "proxy"),
    ):
        if wished not in (0, got):
            say(f"port {wished} is taken: the {what} gets {got}")
    keys = keys_in(directory / "keys.json")
    write_private(parts.settings, settings_text(parts.places, keys, _commands(wanted), wanted.hooks) + wanted.tables)
    profile = directory / "profile.toml"
    write_private(profile, profile_text(parts.places, keys))
    await asyncio.to_thread(upgrade, parts.places.database_url)

    async def start(program: Program, where: str = "") -> None:
        before = time.monotonic()
        await supervisor.start(program)
        say(f"{program.name} ready{where} ({time.monotonic() - before:.1f} s)")

    metrics = [parts.port() for _ in range(wanted.workers)]
    await start(parts.valkey_program())
    await start(parts.envoy_program(), f" on http://{HOST}:{parts.envoy.port}")
    await _all(
        start(parts.api_program(next(iter(keys.tokens.values()))), f" on {parts.places.api_url}"),
        *(start(parts.worker_program(number, port)) for number, port in enumerate(metrics, 1)),
    )
    say(f"all parts ready after {time.monotonic() - begun:.1f} s; their logs are in {directory / 'logs'}")
    return Local(
        directory=directory,
        api_url=parts.places.api_url,
        proxy_port=parts.envoy.port,
        keys=keys,
        settings=parts.settings,
        profile=profile,
        logs=directory / "logs",
        worker_metrics=tuple(f"http://{HOST}:{port}/metrics" for port in metrics),
        supervisor=supervisor,
    )


def _commands(wanted: Wanted) -> Mapping[str, Sequence[str]]:
    service = launch.module("delivery.sandbox.demo_service", "--version", "{version}", "--port", "{port}")
    return {name: (*service, *arguments) for name, arguments in wanted.processes.items()}


async def _all(*starts: Coroutine[Any, Any, None]) -> None:
    """Waits for all of them. Raises the first failure, after the others are over too."""
    results = await asyncio.gather(*starts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
