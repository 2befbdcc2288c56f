"""`delivery demo` and `delivery serve`: the local environment with a demo service under a steady load."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from delivery.sandbox.demo.api import Access, Api
from delivery.sandbox.demo.counts import counted
from delivery.sandbox.demo.plays import BETA, PLAYS, RATE, SERVICE, Unexpected, faults
from delivery.sandbox.demo.run import Run, prepare
from delivery.sandbox.demo.show import Show
from delivery.sandbox.demo.tips import look_closer, try_this
from delivery.sandbox.environment import Local, Wanted, running
from delivery.sandbox.errors import CannotStart, Stopped
from delivery.sandbox.load import Load, Share, Wish
from delivery.sandbox.ports import HOST

USERS = 200
OK, FAILED, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything runs, the first version is stable, and users send requests."""

    local: Local
    api: Api
    load: Load
    show: Show


Work = Callable[[Scene], Awaitable[None]]


def demo(console: Console, port: int = 0) -> int:
    """Plays the releases to their ends; the exit code. Leaves no process and no file."""
    return _in_environment(console, port, _play)


def serve(console: Console, port: int = 0) -> int:
    """Keeps the environment running until it is told to end; the exit code. Leaves no process and no file."""
    return _in_environment(console, port, _keep)


async def _play(scene: Scene) -> None:
    run = Run(scene.api, lambda: counted(scene.load.counts.plain()), scene.show)
    rows = [await run.play(index, play) for index, play in enumerate(PLAYS, 1)]
    scene.show.table(rows)
    for line in look_closer():
        scene.show.line(line)


async def _keep(scene: Scene) -> None:
    for line in try_this(scene.local):
        scene.show.line(line)
    await asyncio.Event().wait()


def _in_environment(console: Console, port: int, work: Work) -> int:
    show = Show(console)
    try:
        with tempfile.TemporaryDirectory(prefix="delivery-") as directory:
            asyncio.run(_run(show, Wanted(Path(directory), port, processes={SERVICE: _arguments()}), work))
    except Stopped as stopped:
        show.line(str(stopped), "yellow")
        return INTERRUPTED
    except CannotStart as error:
        show.line(str(error), "red")
        return FAILED
    except Unexpected as error:
        show.line(f"NOT AS IT HAS TO BE: {error}", "bold red")
        return FAILED
    return OK


async def _run(show: Show, wanted: Wanted, work: Work) -> None:
    begun = time.monotonic()
    async with running(wanted, show.note) as local:
        await local.supervisor.during(_scene(local, show, begun, work))
        show.note("everything worked; stopping all parts")


async def _scene(local: Local, show: Show, begun: float, work: Work) -> None:
    access = Access(local.api_url, local.proxy_url, local.keys.tokens, local.source, local.keys.secret)
    async with contextlib.aclosing(Api(access)) as api:
        await prepare(api)
        async with _loading(local) as load:
            show.line(
                f"ready after {time.monotonic() - begun:.0f} s · API {local.api_url} · Envoy {local.proxy_url}", "bold"
            )
            show.note(
                f"{RATE} requests/s from {USERS} users; times are compressed by the service files, no step is left out"
            )
            await work(Scene(local, api, load, show))


@contextlib.asynccontextmanager
async def _loading(local: Local) -> AsyncIterator[Load]:
    load = Load(HOST, local.proxy_port, Wish(SERVICE, RATE, USERS, (Share(*BETA),)))
    stop = asyncio.Event()
    sending = asyncio.create_task(load.run(stop=stop))
    try:
        yield load
    finally:
        stop.set()
        await sending


def _arguments() -> tuple[str, ...]:
    """Of the demo service: which version fails how often."""
    return tuple(word for fault in faults() for word in ("--faults", fault))
