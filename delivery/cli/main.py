"""The `delivery` command: the groups put together, and errors and exit codes for all of them."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper
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
from delivery.cli.groups import Commands
from delivery.cli.replay import command as replay

TROUBLE = """\
When something is wrong:
  delivery release list --state open      what is on its way
  delivery release explain 412            why it is where it is, and who can change that
  delivery release abort 412 -m WHY       everybody back to stable, at once
  delivery release rollback 412 -m WHY    the version before, after a promotion
  delivery stop set -m WHY                nothing rises any more; ways back go on
  delivery doctor                         what of the service itself does not work

Exit codes: 0 done or promoted, 1 refused or failed, 2 went back, 3 needs a person, 64 wrong usage."""
app = typer.Typer(
    name="delivery",
    help="Takes a new version of a service to its users step by step, watches it, and goes back by itself.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Commands,
    epilog=TROUBLE,
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
    """What stands before any command."""


_IN_USE = (release, stop, hands, doctor, services, plan, adopt, replay)
_BESIDE = (ci, webhook, token, inbox, outbox, history, people, local)
for module in (*_IN_USE, *_BESIDE):
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
    except typer.Abort:
        print("error: it was not confirmed, and nothing was done", file=sys.stderr)
        return Code.FAILED
    except OSError as error:
        print(f"error: {error.filename or 'this machine'}: {error.strerror or error}", file=sys.stderr)
        return Code.FAILED
    return code if isinstance(code, int) else Code.OK


def _show(error: typer.TyperException) -> None:
    show = getattr(error, "show", None)  # usage errors show the usage line too
    if show is not None:
        show()
    else:
        print(f"error: {error}", file=sys.stderr)


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal need not have every character
    sys.exit(run())
