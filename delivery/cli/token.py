"""`delivery token`: hand tokens out, see whose they are and when they were used, revoke them. For admins."""

from dataclasses import dataclass
from typing import Annotated

import typer

from delivery.cli.client import Json
from delivery.cli.errors import Code, CommandError
from delivery.cli.groups import new_group
from delivery.cli.release import clock
from delivery.cli.session import Session, command

group = new_group("API tokens: who may do what. For admins.")
PATH = "/v1/tokens"
_Many = list[str]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="token")


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a token reaches."""

    service: Annotated[_Many | None, typer.Option(help="Only this service; repeat it for several.")] = None
    owner: Annotated[_Many | None, typer.Option(help="Only services of this owner; repeat it for several.")] = None
    cluster: Annotated[_Many | None, typer.Option(help="Only in this cluster; repeat it for several.")] = None
    action: Annotated[_Many | None, typer.Option(help="Only this action, as `start`; repeat it for several.")] = None

    def document(self) -> Json:
        return {
            "services": self.service or [],
            "owners": self.owner or [],
            "clusters": self.cluster or [],
            "actions": self.action or [],
        }


@dataclass(frozen=True, slots=True)
class Lifetime:
    days: Annotated[int, typer.Option(min=1, help="How many days it is valid.")] = 90
    never: Annotated[bool, typer.Option("--never", help="Valid until it is revoked.")] = False


@command(group, "create")
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the token is called, such as ci-checkout.")],
    principal: Annotated[str, typer.Option(help="Whose it is, by the name that they have everywhere.")],
    role: Annotated[str, typer.Option(help="viewer, approver, operator or admin.")],
    reach: Reach,
    lifetime: Lifetime,
    group_: Annotated[
        _Many | None, typer.Option("--group", help="A group of approvers; repeat it for several.")
    ] = None,
) -> None:
    """Makes a token and prints its secret, this once: only its hash is kept."""
    if lifetime.never and lifetime.days != 90:
        raise CommandError("--never and --days do not go together", code=Code.USAGE)
    body = {
        "name": name,
        "principal": principal,
        "role": role,
        "groups": group_ or [],
        "scope": reach.document(),
        "days": None if lifetime.never else lifetime.days,
    }
    answer = session.api.post(PATH, body)

    def people() -> None:
        until = answer["token"]["expires_at"]
        session.screen.note(f"token {name}, {f'valid until {clock(until)}' if until else 'valid until it is revoked'}")
        session.screen.note("its secret is shown this once:")
        session.screen.line(answer["secret"])

    session.show(answer, people)


@command(group, "list")
def list_(session: Session) -> None:
    """Lists tokens: whose they are, how far they reach, until when, and when they were used last."""
    tokens = session.api.get(PATH)["tokens"]
    head = ("NAME", "PRINCIPAL", "ROLE", "REACHES", "STATE", "UNTIL", "USED")
    rows = [
        (
            one["name"],
            one["principal"],
            one["role"],
            _reaches(one["scope"]),
            one["state"],
            clock(one["expires_at"]) if one["expires_at"] else "",
            clock(one["used_at"]) if one["used_at"] else "",
        )
        for one in tokens
    ]
    session.show(tokens, lambda: session.screen.table(head, rows, "there is no token"))


@command(group, "revoke")
def revoke(session: Session, name: Annotated[str, typer.Argument(help="The token.")]) -> None:
    """Revokes a token at once, and ends what browsers began with it."""
    answer = session.api.delete(f"{PATH}/{name}").json()
    session.show(answer, lambda: session.screen.note(f"token {name} is revoked"))


def _reaches(scope: Json) -> str:
    parts = [f"{kind}: {', '.join(names)}" for kind, names in scope.items() if names]
    return "; ".join(parts) or "everything"
