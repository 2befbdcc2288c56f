"""What the demo prints: events as they happen, a moving line on a terminal, and at the end a line for each release."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.text import Text

from delivery.sandbox.demo.api import Json
from delivery.sandbox.demo.counts import Counted
from delivery.sandbox.demo.plays import Play, Seen

THIN = "\u202f"
_STYLES = {"promoted": "bold green", "rolled back": "bold red"}
_BAR = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the end."""

    index: int
    play: Play
    seen: Seen
    note: str

    def cells(self) -> tuple[str, ...]:
        release, counted = self.seen.release, self.seen.counted
        old, new = counted.of(self.seen.stable), counted.of(self.seen.candidate)
        return (
            str(self.index), self.play.title, f"{self.seen.stable} -> {self.seen.candidate}", path(release),
            release["state"].replace("_", " "), _took(release), f"{number(old.requests)} / {number(new.requests)}",
            f"{old.errors} / {new.errors}", str(counted.failed), self.note,
        )  # fmt: skip


HEADERS = (
    "#",
    "strategy",
    "versions",
    "path",
    "outcome",
    "took",
    "served old/new",
    "errors seen",
    "failed by switching",
    "",
)


class Show:
    """Lines on a terminal or in a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def note(self, text: str) -> None:
        """Something on the side."""
        self.line(f"  {text}", "dim")

    def begin(self, index: int, play: Play, stable: str) -> None:
        self.line()
        self.line(f"{index} {play.title} · {stable} -> {play.version} · {play.what}", "bold")
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, refresh_per_second=8)
            self._live.start()

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def event(self, event: Json) -> None:
        self._console.print(Text.assemble((f"  {event['at'][11:19]}  ", "dim"), event["text"]))

    def remark(self, text: str) -> None:
        self.line(f"            {text}", "cyan")

    def now(self, release: Json, counted: Counted) -> None:
        """The moving line; nothing in a pipe."""
        if self._live is not None:
            self._live.update(Text(f"  {standing(release, counted)}", style="cyan"))

    def table(self, rows: Sequence[Row]) -> None:
        cells = [row.cells() for row in rows]
        widths = [max(len(row[column]) for row in [HEADERS, *cells]) for column in range(len(HEADERS))]
        self.line()
        self.line(_aligned(HEADERS, widths), "dim")
        for row in cells:
            text = Text(_aligned(row, widths))
            text.highlight_words([row[4]], _STYLES.get(row[4], ""))
            self._console.print(text)


def standing(release: Json, counted: Counted) -> str:
    """Where a release is, and who answered since it began."""
    entered = [stage for stage in [*release["stages"], release["promotion"]] if stage["entered_at"]]
    versions = sorted((version, seen) for version, seen in counted.versions.items() if seen.requests)
    served = "  ".join(
        f"{version}: {number(seen.requests)} requests, {seen.errors} errors" for version, seen in versions
    )
    if not entered:
        return f"{release['state']} · {served}"
    split = entered[-1]["split"]
    bar = "#" * -(-split["desired"] * _BAR // 100)
    proven = "confirmed" if split["level"] else "not yet confirmed"
    return f"[{bar:.<{_BAR}}] {split['desired']}{THIN}% {proven} · {entered[-1]['name']} · {served}"


def path(release: Json) -> str:
    """The stages that it entered: `1·5·25·50·100`, `mirror·25·100`."""
    steps = [_step(stage) for stage in release["stages"] if stage["entered_at"]]
    if release["promotion"]["entered_at"] and steps[-1:] != ["100"]:
        steps.append("100")
    return "·".join(steps)


def _step(stage: Json) -> str:
    name, share = str(stage["name"]), int(stage["split"]["desired"])
    if share:
        return str(share)
    return {"dark_launch": "mirror", "ab_test": "x-beta"}.get(name.split(maxsplit=1)[0], name.rsplit(maxsplit=1)[-1])


def number(value: int) -> str:
    """9950 as 9 950."""
    return f"{value:,}".replace(",", THIN)


def _took(release: Json) -> str:
    began, ended = (datetime.fromisoformat(release[name]) for name in ("created_at", "finished_at"))
    seconds = round((ended - began).total_seconds())
    return f"{seconds // 60}:{seconds % 60:02}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
