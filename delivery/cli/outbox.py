"""`delivery outbox`: messages to people that could not be delivered, and alerts."""

from typing import Annotated

import typer

from delivery.cli.groups import new_group
from delivery.cli.release import clock
from delivery.cli.session import Session, command

group = new_group("Messages that could not be delivered: list, replay, discard; and alerts.")
PATH = "/v1/outbox"
_Keys = Annotated[list[str], typer.Argument(help="Their keys, as `list` shows them.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="outbox")


@command(group, "list")
def list_(
    session: Session,
    state: Annotated[str, typer.Option(help="dead, waiting, sent or discarded.")] = "dead",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 100,
) -> None:
    """Lists messages by state, the oldest first."""
    found = session.api.get(PATH, {"state": state, "limit": limit})["messages"]
    rows = [(one["key"], one["channel"], one["topic"], one["attempts"], one["error"]) for one in found]
    headers = ("KEY", "CHANNEL", "TOPIC", "TRIES", "ERROR")
    session.show(found, lambda: session.screen.table(headers, rows, f"no message is {state}"))


@command(group, "replay")
def replay(session: Session, keys: _Keys) -> None:
    """Tries dead messages again, now."""
    _do(session, "replay", keys)


@command(group, "discard")
def discard(session: Session, keys: _Keys) -> None:
    """Gives dead messages up; they stay on record."""
    _do(session, "discard", keys)


@command(group, "alerts")
def alerts(session: Session, limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 20) -> None:
    """Lists what somebody has to see: quarantines, dead rows. The newest first."""
    found = session.api.get("/v1/alerts", {"limit": limit})["alerts"]
    rows = [(clock(one["at"]), one["kind"], one["subject"], one["detail"]) for one in found]
    headers = ("AT", "KIND", "ABOUT", "WHAT")
    session.show(found, lambda: session.screen.table(headers, rows, "no alerts"))


def _do(session: Session, action: str, keys: list[str]) -> None:
    answer = session.api.post(f"{PATH}/{action}", {"keys": keys})
    session.show(answer, lambda: session.screen.line(answer["text"]))
