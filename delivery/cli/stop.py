"""`delivery stop`: nothing rises until it is lifted. Reverts go on."""

from typing import Annotated

import typer

from delivery.cli.client import Json
from delivery.cli.errors import Code, CommandError
from delivery.cli.groups import new_group
from delivery.cli.release import clock
from delivery.cli.session import Session, command

group = new_group("No raises, anywhere or in part, until somebody lifts the stop. Reverts go on.")
PATH = "/v1/stop"
_Cluster = Annotated[str | None, typer.Option(help="Only in this cluster.")]
_Owner = Annotated[str | None, typer.Option(help="Only for the services of this owner.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="stop")


@command(group, "set")
def set_(
    session: Session,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why: everybody who is held by it sees this.")],
    cluster: _Cluster = None,
    owner: _Owner = None,
) -> None:
    """Stops every raise."""
    _show(session, session.api.put(PATH, {"scope": _scope(cluster, owner), "reason": reason}))


@command(group, "lift")
def lift(session: Session, cluster: _Cluster = None, owner: _Owner = None) -> None:
    """Lifts a stop. Another one that covers the same services stays."""
    _show(session, dict(session.api.delete(PATH, {"scope": _scope(cluster, owner)}).json()))


@command(group, "list")
def list_(session: Session) -> None:
    """Lists what is stopped, by whom and why."""
    _show(session, session.api.get(PATH))


def _scope(cluster: str | None, owner: str | None) -> str:
    if cluster and owner:
        raise CommandError("a stop is for a cluster or for an owner", "set two of them", code=Code.USAGE)
    return f"cluster:{cluster}" if cluster else f"owner:{owner}" if owner else "*"


def _show(session: Session, answer: Json) -> None:
    stops = answer["stops"]
    rows = [(one["scope"], one["by"], clock(one["since"]), one["reason"]) for one in stops]
    session.show(stops, lambda: session.screen.table(("SCOPE", "BY", "SINCE", "WHY"), rows, "nothing is stopped"))
