"""The `delivery` command: the groups put together, and errors and exit codes for all of them."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from delivery.cli import (
    adopt,
    ci,
    doctor,
    hands,
    history,
    inbox,
    local,
    outbox,
    people,
    plan,
    release,
    services,
    stop,
    token,
    webhook,
)
from delivery.cli.errors import Code, CommandError
from delivery.cli.replay import command as replay

app = typer.Typer(
    name="delivery",
    help="Takes a new version of a service to its users step by step, watches it, and goes back by itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"delivery {version('progressive-delivery')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Exit codes: 0 done or promoted, 1 refused or failed, 2 went back, 3 needs a person, 64 wrong usage."""


for module in (
    services,
    plan,
    release,
    ci,
    stop,
    hands,
    inbox,
    outbox,
    history,
    people,
    token,
    webhook,
    doctor,
    adopt,
    replay,
    local,
):
    module.register(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; says on stderr what went wrong."""
    try:
        code = typer.main.get_command(app).main(
            args=None if arguments is None else list(arguments), prog_name="delivery", standalone_mode=False
        )
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.code
    except typer.TyperException as error:
        _show(error)
        return Code.USAGE
    return code if isinstance(code, int) else Code.OK


def _show(error: typer.TyperException) -> None:
    show = getattr(error, "show", None)  # usage errors show the usage line too
    if show is not None:
        show()
    else:
        print(f"error: {error}", file=sys.stderr)


def main() -> None:
    """The console script."""
    sys.exit(run())
