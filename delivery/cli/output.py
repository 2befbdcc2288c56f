"""What commands print: data for programs, tables and sentences for people; colour only on a terminal."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TextIO

from rich.console import Console
from rich.text import Text

GAP = "  "
STYLES = {
    "promoted": "green",
    "ok": "green",
    "rolled_back": "red",
    "failed_to_start": "red",
    "failed": "red",
    "superseded": "yellow",
    "withdrawn": "yellow",
    "cancelled": "yellow",
    "waiting": "yellow",
    "queued": "dim",
    "progressing": "cyan",
    "rolling_back": "red",
}
"""States and their colours; what is not named has none."""


class Format(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


Cell = str | int | float | None


def console(stream: TextIO) -> Console:
    """Colour and live lines on a terminal; in a pipe plain lines that nothing wraps."""
    if stream.isatty():
        return Console(file=stream, highlight=False, soft_wrap=True)
    return Console(file=stream, highlight=False, force_terminal=False, width=10_000, soft_wrap=True)


class Screen:
    """Where a command writes. Progress and remarks go to `err`, so that `out` can be read by a program."""

    def __init__(self, form: Format = Format.TABLE) -> None:
        self.format = form
        self.out = console(sys.stdout)
        self.err = console(sys.stderr)

    @property
    def live(self) -> bool:
        """Whether somebody looks at it who wants to see progress in place."""
        return self.for_people and self.out.is_terminal

    @property
    def for_people(self) -> bool:
        return self.format in (Format.TABLE, Format.WIDE)

    @property
    def wide(self) -> bool:
        return self.format is Format.WIDE

    def data(self, document: object) -> None:
        """The document as JSON or YAML, whole."""
        if self.format is Format.YAML:
            import yaml

            print(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), end="", file=sys.stdout)
        else:
            print(json.dumps(document, indent=2, ensure_ascii=False), file=sys.stdout)

    def line(self, text: str = "", style: str = "") -> None:
        self.out.print(Text(text, style=style))

    def note(self, text: str) -> None:
        """A remark that is no part of the result."""
        self.err.print(Text(text, style="dim"))

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str) -> None:
        """Columns as wide as their longest cell. `empty` is said instead where there are no rows."""
        if not rows:
            self.note(empty)
            return
        cells = [[_shown(cell) for cell in row] for row in rows]
        widths = [max(len(row[column]) for row in [list(headers), *cells]) for column in range(len(headers))]
        self.out.print(Text(_aligned(headers, widths), style="bold"))
        for row in cells:
            self.out.print(self._colored(row, widths))

    def pairs(self, pairs: Sequence[tuple[str, Cell]]) -> None:
        """Names with values below each other; what is absent stays out."""
        known = [(name, _shown(value)) for name, value in pairs if value not in (None, "")]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            self.out.print(Text.assemble((f"{name:<{width}}{GAP}", "dim"), (value, STYLES.get(value, ""))))

    def _colored(self, row: Sequence[str], widths: Sequence[int]) -> Text:
        parts = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            last = index == len(row) - 1
            parts.append((cell if last else f"{cell:<{width}}{GAP}", STYLES.get(cell, "")))
        return Text.assemble(*parts)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _shown(cell: Cell) -> str:
    return "-" if cell is None or cell == "" else str(cell)
