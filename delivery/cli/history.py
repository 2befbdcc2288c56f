"""`delivery history`: the whole history in a file, and whether a file, or the server's history, is what it says."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from delivery.cli.errors import CommandError
from delivery.cli.groups import new_group
from delivery.cli.output import Screen
from delivery.cli.session import Session, command, local_command
from delivery.model.export import Check, Checked
from delivery.wording.units import counted

group = new_group("Export the history, check an export, look at what was done to the history itself.")
PATH = "/v1/history"
_Service = Annotated[str | None, typer.Option(help="Only releases of this service.")]
_Since = Annotated[str | None, typer.Option(help="What ended then or later: 2026-11-24T10:02:11Z.")]
_Until = Annotated[str | None, typer.Option(help="What ended before.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="history")


@command(group, "export")
def export(
    session: Session,
    file: Annotated[Path | None, typer.Argument(help="Where to; without it to stdout.")] = None,
    service: _Service = None,
    since: _Since = None,
    until: _Until = None,
) -> None:
    """Writes releases that are over, with all events, and the records of the history, as lines of JSON.

    The file is checked while it is written.
    """
    query = {"service": service, "since": since, "until": until}
    with ExitStack() as stack:
        out: BinaryIO = sys.stdout.buffer if file is None else stack.enter_context(_new(file))
        check = Check()
        check.file("the export", _kept(session.api.lines(f"{PATH}/export", query), out))
        out.flush()
    found = check.done()
    _sound(found)
    if file is not None:
        session.show(asdict(found), lambda: session.screen.line(f"{file}: {told(found)}"))


@command(group, "exported")
def exported(session: Session, until: Annotated[str, typer.Argument(help="A time, at least an hour ago.")]) -> None:
    """Tells the server that all that ended before is in your hands: with `export_first` it may go from then on."""
    made = session.api.post(f"{PATH}/exported", {"until": until})
    session.show(made, lambda: session.screen.line(f"record {made['n']}: exported until {until}"))


@command(group, "records")
def records(session: Session) -> None:
    """Lists what was done to the history itself: releases taken away, names erased, exports."""
    found, after = [], 0
    while True:
        page = session.api.get(f"{PATH}/records", {"after": after, "limit": 1000})
        found += page["records"]
        if page["next"] is None:
            break
        after = page["next"]
    rows = [(str(one["n"]), one["at"], one["kind"], one["by"] or "", _about(one["data"])) for one in found]
    headers = ("N", "AT", "WHAT", "BY", "ABOUT")
    session.show(found, lambda: session.screen.table(headers, rows, "nothing was done to the history"))


@local_command(group, "verify")
def verify(
    screen: Screen,
    files: Annotated[list[Path], typer.Argument(help="Exports; several must tell the same.", exists=True)],
) -> None:
    """Checks exports, without a server: hash chains, commitments, and that what was taken away is told of."""
    check = Check()
    for file in files:
        with file.open("rb") as lines:
            check.file(str(file), lines)
    found = check.done()
    _sound(found)
    if screen.for_people:
        screen.line(told(found))
    else:
        screen.data(asdict(found))


def _new(file: Path) -> BinaryIO:
    try:
        return file.open("xb")
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror}", "name a file that is not there yet") from error


def told(found: Checked) -> str:
    """One sentence for a history that is sound."""
    releases, events = counted(found.releases, "release"), counted(found.events, "event")
    text = f"{releases} with {events}, {counted(found.records, 'record')}: whole"
    if found.erased:
        text += f"; names are erased in {counted(found.erased, 'event')}"
    if found.redacted:
        text += f"; {counted(found.redacted, 'event')} rewritten by an erasure that is on record"
    return text


def _sound(found: Checked) -> None:
    if found.wrong:
        more = [f"and {len(found.wrong) - 20} more"] if len(found.wrong) > 20 else []
        raise CommandError("this history is not what it says:\n  " + "\n  ".join([*found.wrong[:20], *more]))


def _kept(lines: Iterator[bytes], out: BinaryIO) -> Iterator[bytes]:
    for line in lines:
        out.write(line)
        yield line


def _about(data: dict[str, object]) -> str:
    if "release" in data:
        what = f"{data['target']} #{data['number']} {data['state']}"
        return f"{what}, {data['events']} events, head {str(data['head'])[:12]}"
    return ", ".join(f"{name} {value}" for name, value in data.items() if name not in ("at", "rewritten"))
