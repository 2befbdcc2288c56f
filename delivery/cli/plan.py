"""`delivery check` and `delivery plan`: what a service file means, before anything happens."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from delivery.cli.adopt import Access, looked_at, show
from delivery.cli.client import Json
from delivery.cli.errors import Code, CommandError
from delivery.cli.files import checked, read
from delivery.cli.output import Screen
from delivery.cli.services import Files
from delivery.cli.session import Session, command
from delivery.model import scalars
from delivery.model.finding import Weight


def register(app: typer.Typer) -> None:
    command(app, "check")(check)
    command(app, "plan")(plan)


def check(session: Session, file: Files, access: Access) -> None:
    """Checks service files against the server: every mistake with its file and line. Stores nothing.

    With --context or --kubeconfig it looks into that cluster too, as `adopt` does: what would leak, what is missing.
    """
    files = read(file)
    answers = checked(session.api, files)
    found = [looked_at(one.text, str(one.path), access) if access.given else () for one in files]
    told = [
        {"service": one.service, **answer} | ({"findings": [asdict(each) for each in findings]} if findings else {})
        for one, answer, findings in zip(files, answers, found, strict=True)
    ]

    def people() -> None:
        for one, findings in zip(told, found, strict=True):
            changes = "applying it changes it" if one["changes"] else "it is applied like this"
            session.screen.line(f"{one['service']} ok, {changes}")
            show(session.screen, findings)

    session.show(told, people)
    if any(each.weight is Weight.BLOCKS for findings in found for each in findings):
        raise typer.Exit(Code.FAILED)


def plan(
    session: Session,
    service: Annotated[str | None, typer.Argument(help="A service as it is applied.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Or a service file that is not.", exists=True)
    ] = None,
    rps: Annotated[float | None, typer.Option(help="Requests a second, if not those of the last release.")] = None,
    errors: Annotated[str | None, typer.Option(help="The share that fails today, such as 0.1%.")] = None,
) -> None:
    """Shows the stages that the next release would go through, and what its gates can and cannot see."""
    if (service is None) == (file is None):
        raise CommandError("name a service, or a file with -f", "one of the two", code=Code.USAGE)
    traffic = {"outlook": True, "rps": rps, "errors": _share(errors)}
    if file is not None:
        files = read(file)
        checked(session.api, files)
        plans = [session.api.post("/v1/plan", {"document": one.document(), **traffic}) for one in files]
    else:
        plans = [session.api.post("/v1/plan", {"service": service, **traffic})]

    def people() -> None:
        for one in plans:
            paint(session.screen, one)

    session.show(plans if file is not None else plans[0], people)


def _share(errors: str | None) -> float | None:
    if errors is None:
        return None
    found = scalars.share(0.0, 0.999).read(errors)
    if found is None:
        raise CommandError(f"--errors is {errors}", "a percent with its sign, such as 0.1%", code=Code.USAGE)
    return found


def paint(screen: Screen, plan: Json) -> None:
    """A plan for people."""
    early = ", less where every gate passes early" if plan["gates"] else ""
    screen.line(f"{plan['service']} · {plan['at_least']} at least{early}", "bold")
    for line in plan["text"]:
        screen.line(f"  {line}")
    for line in plan.get("hooks") or ():
        screen.line(f"  {line}")
    for line in plan["outlook"] or ():
        screen.line(f"  {line}", "yellow" if line.startswith("warning") else "")
    if screen.wide:
        for gate in plan["gates"]:
            screen.line(f"  {gate['text']}", "dim")
