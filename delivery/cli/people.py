"""`delivery people`: a person's names out of what is stored."""

from typing import Annotated, Any

import typer

from delivery.cli.groups import new_group
from delivery.cli.session import Session, command
from delivery.wording.units import counted

group = new_group("People in what is stored: erase somebody's names.")
PATH = "/v1/people/erase"
_Names = Annotated[
    list[str],
    typer.Argument(help="All names of one person: principal, addresses, logins, ids of chats, as texts have them."),
]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="people")


@command(group, "erase")
def erase(
    session: Session,
    names: _Names,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. It cannot be undone.")] = False,
    key: Annotated[
        str | None, typer.Option(help="Goes on with an erasure that was cut short: the key it told.")
    ] = None,
) -> None:
    """Takes somebody's names and words out of all that is stored; histories stay provable. For admins.

    Refused while an open release, a stop or a delivery that waits names them.
    """
    if not yes:
        typer.confirm(f"Erase {', '.join(names)} for ever?", abort=True, err=True)
    changed, step = 0, _step(session, names, key, None)
    while True:
        changed += step["changed"]
        if step["next"] is None:
            break
        step = _step(session, names, step["key"], step["next"])
    done = {"key": step["key"], "stand_in": step["stand_in"], "changed": changed}
    text = (
        f"{step['stand_in']}: {counted(changed, 'row')} changed. Backups, logs, chats and exports have the names still."
    )
    session.show(done, lambda: session.screen.line(text))


def _step(session: Session, names: list[str], key: str | None, cursor: str | None) -> dict[str, Any]:
    asked = {"names": names, "key": key, "cursor": cursor}
    return session.api.post(PATH, {name: value for name, value in asked.items() if value is not None})
