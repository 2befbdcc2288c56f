"""Running the service: its parts by a configuration, or the whole of it on this machine."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from delivery.cli.errors import CommandError
from delivery.cli.output import console
from delivery.sandbox import launch
from delivery.settings import Settings, SettingsError, load

Config = Annotated[
    str | None,
    typer.Option(envvar="DELIVERY_CONFIG", help="The server's configuration.", show_default="./delivery.toml"),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The API's port; 0, or one that is taken: any.")]
WAIT_SECONDS = 300
GRACE_SECONDS = 10


def register(app: typer.Typer) -> None:
    for function in (api, worker, migrate, serve, demo):
        app.command(function.__name__)(function)


def api(config: Config = None) -> None:
    """Runs the API by the server's configuration, until SIGTERM."""
    host, _, port = _settings(config).server.listen.rpartition(":")
    _become(config, launch.api(host.strip("[]"), port, GRACE_SECONDS))


def worker(
    config: Config = None,
    name: Annotated[str, typer.Option(help="Tells the workers of one machine apart.")] = "worker",
    metrics_port: Annotated[int | None, typer.Option(help="A port that shows its metrics.")] = None,
    metrics_address: Annotated[
        str | None, typer.Option(help="Where that port listens.", show_default="127.0.0.1")
    ] = None,
) -> None:
    """Runs a worker by the server's configuration, until SIGTERM. Start as many as you like."""
    _settings(config)
    port = () if metrics_port is None else ("--metrics-port", str(metrics_port))
    address = () if metrics_address is None else ("--metrics-address", metrics_address)
    _become(config, launch.module("workers.main", "--name", name, *port, *address))


def migrate(
    config: Config = None,
    wait: Annotated[
        bool, typer.Option("--wait", help=f"Change nothing: wait until another did it, {WAIT_SECONDS} s at most.")
    ] = False,
) -> None:
    """Brings the database to the schema that this version needs. Safe to run at every start, and by several at once."""
    from delivery import wiring

    settings = _settings(config)
    if wait:
        _wait(settings)
    else:
        wiring.migrate(settings)
    print("the database is up to date")


def serve(port: Port = 8080) -> None:
    """Keeps the whole service running on this machine, to play with: API, worker, Envoy, a demo service under load."""
    from delivery.sandbox.demo import main

    raise typer.Exit(main.serve(console(sys.stdout), port))


def demo(port: Port = 8080) -> None:
    """Plays five releases to their ends on a real Envoy. Exit code 1 where one went otherwise than it has to."""
    from delivery.sandbox.demo import main

    raise typer.Exit(main.demo(console(sys.stdout), port))


def _wait(settings: Settings) -> None:
    """Returns once the schema is there. A database that does not answer yet is waited for like one without a schema."""
    from delivery import wiring
    from delivery.ports.errors import PortError

    until = time.monotonic() + WAIT_SECONDS
    said = ""
    while True:
        try:
            if wiring.is_migrated(settings):
                return
            found = "its schema is older than this version needs: run `delivery migrate`"
        except PortError as error:
            found = f"it does not answer: {error}"
        if found != said:
            print(f"waits for the database: {found}", file=sys.stderr, flush=True)
            said = found
        if time.monotonic() >= until:
            raise CommandError(f"waited {WAIT_SECONDS} s for the database: {found}")
        time.sleep(1)


def _settings(config: str | None) -> Settings:
    try:
        return load(os.environ, config)
    except SettingsError as error:
        raise CommandError(str(error)) from error


def _become(config: str | None, command: Sequence[str]) -> None:
    """Replaces this process, so that signals reach whoever works."""
    if config is not None:
        os.environ["DELIVERY_CONFIG"] = str(Path(config).resolve())
    sys.stdout.flush()
    os.execv(command[0], tuple(command))
