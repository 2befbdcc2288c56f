"""Groups of commands, whose list says of each command the whole of its first sentence: cut off, it helps nobody."""

from typing import Any

import typer
from typer.core import TyperGroup

_WHOLE = 1000
"""More than any sentence has."""


class Commands(TyperGroup):
    """As Typer has them, with whole sentences and an epilogue that keeps its lines."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        shown = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown.sort(key=lambda row: not isinstance(row[1], TyperGroup))  # groups first: most of what is done is in them
        rows = [(name, one.get_short_help_str(_WHOLE)) for name, one in shown if one is not None and not one.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self.epilog:
            formatter.write(f"\n{self.epilog}\n")


def new_group(text: str) -> typer.Typer:
    """A group of commands, with what is said of it."""
    return typer.Typer(help=text, cls=Commands)
