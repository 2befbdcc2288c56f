"""`delivery inbox`: deliveries that could not be admitted and wait for a person."""

from typing import Annotated

import typer

from delivery.cli.groups import new_group
from delivery.cli.release import clock
from delivery.cli.session import Session, command

group = new_group("Deliveries that could not be admitted: list, show, replay, discard.")
PATH = "/v1/inbox"
_Source = Annotated[str, typer.Argument(help="Where it came from, as `list` shows it.")]
_Keys = Annotated[list[str], typer.Argument(help="Their keys.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="inbox")


@command(group, "list")
def list_(
    session: Session,
    state: Annotated[str, typer.Option(help="dead, pending, done or discarded.")] = "dead",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 100,
) -> None:
    """Lists deliveries by state, the oldest first."""
    found = session.api.get(PATH, {"state": state, "limit": limit})["deliveries"]
    rows = [
        (one["source"], one["key"], clock(one["received_at"]), one["outcome"], one["error"] or one["reason"])
        for one in found
    ]
    headers = ("SOURCE", "KEY", "RECEIVED", "OUTCOME", "WHY")
    session.show(found, lambda: session.screen.table(headers, rows, f"no delivery is {state}"))


@command(group, "show")
def show(session: Session, source: _Source, key: Annotated[str, typer.Argument(help="Its key.")]) -> None:
    """Shows one delivery with what came."""
    found = session.api.get(f"{PATH}/delivery", {"source": source, "key": key})
    session.show(found, lambda: session.screen.line(found["body"]))


@command(group, "replay")
def replay(session: Session, source: _Source, keys: _Keys) -> None:
    """Admits dead deliveries again, as if they had just come."""
    _do(session, "replay", source, keys)


@command(group, "discard")
def discard(session: Session, source: _Source, keys: _Keys) -> None:
    """Gives dead deliveries up; they stay on record."""
    _do(session, "discard", source, keys)


def _do(session: Session, action: str, source: str, keys: list[str]) -> None:
    answer = session.api.post(f"{PATH}/{action}", {"deliveries": [{"source": source, "key": key} for key in keys]})
    session.show(answer, lambda: session.screen.line(answer["text"]))
