"""Running the service: its parts by a configuration, or the whole of it on this machine."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from delivery.cli.errors import CommandError
from delivery.cli.output import console
from delivery.settings import Settings, SettingsError, load

Config = Annotated[
    str | None,
    typer.Option(envvar="DELIVERY_CONFIG", help="The server's configuration.", show_default="./delivery.toml"),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The API's port; 0, or one that is taken: any.")]
GRACE_SECONDS = 10
"""uvicorn waits without end for requests that hang, unless it is told."""


def register(app: typer.Typer) -> None:
    for function in (api, worker, migrate, serve, demo):
        app.command(function.__name__)(function)


def api(config: Config = None) -> None:
    """Runs the API by the server's configuration, until SIGTERM."""
    host, _, port = _settings(config).server.listen.rpartition(":")
    _become(
        config, "uvicorn", "api.main:app", "--factory", "--host", host.strip("[]"), "--port", port,
        "--no-access-log", "--timeout-graceful-shutdown", str(GRACE_SECONDS),
    )  # fmt: skip


def worker(
    config: Config = None,
    name: Annotated[str, typer.Option(help="Tells the workers of one machine apart.")] = "worker",
    metrics_port: Annotated[int | None, typer.Option(help="A loopback port that shows its metrics.")] = None,
) -> None:
    """Runs a worker by the server's configuration, until SIGTERM. Start as many as you like."""
    _settings(config)
    metrics = () if metrics_port is None else ("--metrics-port", str(metrics_port))
    _become(config, "workers.main", "--name", name, *metrics)


def migrate(config: Config = None) -> None:
    """Brings the database to the schema that this version needs. Safe to run at every start."""
    from delivery import wiring

    wiring.migrate(_settings(config))
    print("the database is up to date")


def serve(port: Port = 8080) -> None:
    """Keeps the whole service running on this machine, to play with: API, worker, Envoy, a demo service under load."""
    from delivery.sandbox.demo import main

    raise typer.Exit(main.serve(console(sys.stdout), port))


def demo(port: Port = 8080) -> None:
    """Plays five releases to their ends on a real Envoy. Exit code 1 where one went otherwise than it has to."""
    from delivery.sandbox.demo import main

    raise typer.Exit(main.demo(console(sys.stdout), port))


def _settings(config: str | None) -> Settings:
    try:
        return load(os.environ, config)
    except SettingsError as error:
        raise CommandError(str(error)) from error


def _become(config: str | None, module: str, *arguments: str) -> None:
    """Replaces this process, so that signals reach whoever works."""
    if config is not None:
        os.environ["DELIVERY_CONFIG"] = str(Path(config).resolve())
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
