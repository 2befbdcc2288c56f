"""Following a release: its events as they happen, and one live line below them on a terminal.

By asking again every second: what moves between two events (counts, shares, holds) is in no event, and a server that
is started anew in between costs nothing but a remark.
"""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from delivery.cli.client import Api, Json, passing
from delivery.cli.errors import Code, CommandError
from delivery.cli.naming import PATH, find
from delivery.cli.output import Screen
from delivery.cli.session import Session, command

_Name = Annotated[str, typer.Argument(metavar="RELEASE", help="Its number, SERVICE/NUMBER, or its id.")]
EVERY = 1.0
LONGEST = 10.0
"""Seconds between two tries while the server does not answer."""
PEOPLE_END = (
    "approval",
    "pause",
    "stop",
    "inconclusive",
    "no_data",
    "low_traffic",
    "baseline_unready",
    "history_lost",
    "quarantined",
)
"""Holds that people end."""
_BAR = 10
rest = time.sleep


@dataclass(frozen=True, slots=True)
class Update:
    """How the release stands now, with the events that are new, or a remark about the connection."""

    release: Json
    events: tuple[Json, ...] = ()
    remark: str = ""


def add_to(group: typer.Typer) -> None:
    command(group, "watch")(watch)


def watch(session: Session, release: _Name) -> None:
    """Follows a release until it is over. Exit code 0 where it was promoted, 2 where it was not."""
    last = found = find(session.api, release)
    with live(session.screen) as line:
        for update in follow(session.api, found):
            last = update.release
            paint(session.screen, update, line)
    session.show(last, lambda: None)
    raise typer.Exit(verdict(last))


def verdict(release: Json) -> Code:
    """The exit code that a release's end means."""
    return Code.OK if release["state"] == "promoted" else Code.WENT_BACK


def waits_for_people(release: Json) -> str | None:
    """Why it needs somebody, where it does."""
    return next((hold["text"] for hold in release["holds"] if hold["kind"] in PEOPLE_END), None)


def follow(api: Api, release: Json) -> Iterator[Update]:
    """An update a second, until the release is over; asks again for as long as the server does not answer."""
    seen, pause = 0, EVERY
    while True:
        try:
            release = api.get(f"{PATH}/{release['id']}")
            new = events(api, release["id"], seen)
        except CommandError as error:
            if not passing(error):
                raise
            yield Update(release, remark=f"{error.cause}; trying again")
            pause = min(2 * pause, LONGEST)
        else:
            seen = new[-1]["seq"] if new else seen
            pause = EVERY
            yield Update(release, tuple(new))
            if release["finished_at"]:
                return
        rest(pause)


def events(api: Api, release: str, after: int = 0) -> list[Json]:
    """Everything that happened to a release after event `after`, in order."""
    found: list[Json] = []
    following: int | None = after
    while following is not None:
        page = api.get(f"{PATH}/{release}/events", {"after": following})
        found, following = found + page["events"], page["next"]
    return found


def live(screen: Screen) -> AbstractContextManager[Live | None]:
    """The moving line on a terminal; nothing in a pipe."""
    if not screen.live:
        return nullcontext()
    return Live(console=screen.out, transient=True, refresh_per_second=4)


def paint(screen: Screen, update: Update, line: Live | None, name: str = "") -> None:
    """Prints what is new; to stderr where stdout is for a program."""
    out = screen.out if screen.for_people else screen.err
    if update.remark:
        out.print(Text(update.remark, style="yellow"))
    for event in update.events:
        text = " ".join(event["text"].split())  # one line: what people wrote must not look like a line of ours
        out.print(Text.assemble((f"{event['at'][11:19]}  ", "dim"), (f"{name}  " if name else "", "bold"), text))
    if line is not None:
        line.update(Text(standing(update.release), style="cyan"))


def standing(release: Json) -> str:
    """`progressing · canary 5% · [#.........] 5 % confirmed · errors 1.02 times stable's ...`: the line that moves."""
    stage = next((one for one in reversed([*release["stages"], release["promotion"]]) if one.get("entered_at")), None)
    parts = [release["state"].replace("_", " ")]
    if stage is not None:
        share = stage["split"]["desired"]
        proven = "confirmed" if stage["split"].get("level") else "not yet confirmed"
        parts += [stage["name"], f"[{'#' * -(-share * _BAR // 100):.<{_BAR}}] {share} % {proven}"]
        parts += [gate["text"] for gate in stage["analysis"]]
    parts += [f"held: {hold['text']}" for hold in release["holds"]]
    return " · ".join(parts)
