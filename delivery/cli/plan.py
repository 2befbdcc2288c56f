"""`delivery check` and `delivery plan`: what a service file means, before anything happens."""

from pathlib import Path
from typing import Annotated

import typer

from delivery.cli.client import Json
from delivery.cli.errors import Code, CommandError
from delivery.cli.files import checked, read
from delivery.cli.output import Screen
from delivery.cli.services import Files
from delivery.cli.session import Session, command


def register(app: typer.Typer) -> None:
    command(app, "check")(check)
    command(app, "plan")(plan)


def check(session: Session, file: Files) -> None:
    """Checks service files against the server: every mistake with its file and line. Stores nothing."""
    files = read(file)
    answers = checked(session.api, files)
    told = [{"service": one.service, **answer} for one, answer in zip(files, answers, strict=True)]

    def people() -> None:
        for one in told:
            changes = "applying it changes it" if one["changes"] else "it is applied like this"
            session.screen.line(f"{one['service']} ok, {changes}")

    session.show(told, people)


def plan(
    session: Session,
    service: Annotated[str | None, typer.Argument(help="A service as it is applied.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Or a service file that is not.", exists=True)
    ] = None,
) -> None:
    """Shows the stages that the next release would go through, and what each can and cannot see."""
    if (service is None) == (file is None):
        raise CommandError("name a service, or a file with -f", "one of the two", code=Code.USAGE)
    if file is not None:
        plans = [answer["plan"] for answer in checked(session.api, read(file))]
    else:
        plans = [session.api.post("/v1/plan", {"service": service})]

    def people() -> None:
        for one in plans:
            paint(session.screen, one)

    session.show(plans if file is not None else plans[0], people)


def paint(screen: Screen, plan: Json) -> None:
    """A plan for people."""
    early = ", less where every gate passes early" if plan["gates"] else ""
    screen.line(f"{plan['service']} · {plan['at_least']} at least{early}", "bold")
    for line in plan["text"]:
        screen.line(f"  {line}")
    if screen.wide:
        for gate in plan["gates"]:
            screen.line(f"  {gate['text']}", "dim")
