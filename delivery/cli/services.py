"""`delivery services`: service files applied to the server, and what the server has."""

import difflib
from pathlib import Path
from typing import Annotated

import typer
import yaml

from delivery.cli.client import Json
from delivery.cli.errors import CommandError, Mistakes, Refusal
from delivery.cli.files import checked, read
from delivery.cli.groups import new_group
from delivery.cli.output import Cell
from delivery.cli.release import clock
from delivery.cli.session import Session, command

group = new_group("Services: apply their files, list, show, diff, export.")
PATH = "/v1/services"
Files = Annotated[Path, typer.Option("--file", "-f", help="A service file, or a directory of them.", exists=True)]
Service = Annotated[str, typer.Argument(help="The service's name.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="services")


@command(group, "apply")
def apply(session: Session, file: Files) -> None:
    """Checks every file first, then applies them: a mistake in one stops all."""
    try:
        files = read(file)
        checks = checked(session.api, files)
    except Mistakes as found:
        raise CommandError(f"{found.cause}, nothing was applied", *found.hints) from found
    applied = []
    for one, check in zip(files, checks, strict=True):
        answer = session.api.send("PUT", one.url(), one.text)
        applied.append(answer)
        if session.screen.for_people:
            what = "applied" if check["changes"] else "unchanged"
            session.screen.line(f"{answer['name']} {what} (revision {answer['revision']})")
    session.show(applied, lambda: None)


@command(group, "list")
def list_(session: Session) -> None:
    """Lists services with what is stable where."""
    found = session.api.get(PATH)["services"]
    rows = [row for service in found for row in _rows(service)]
    headers = ("SERVICE", "CLUSTER", "STABLE", "ACTIVE", "QUEUED", "REVISION", "TROUBLE")
    session.show(found, lambda: session.screen.table(headers, rows, "no service was applied yet"))


def _rows(service: Json) -> list[tuple[Cell, ...]]:
    """One row for each target; one for a service that has none, because it cannot be used."""
    trouble = service.get("broken")
    if not service["targets"]:
        return [(service["name"], None, None, None, None, service["revision"], trouble)]
    return [
        (
            service["name"], target["cluster"], target["stable"]["version"] if target.get("stable") else None,
            target.get("active"), len(target["queue"]), service["revision"],
            trouble or target.get("quarantined") or target.get("paused"),
        )
        for target in service["targets"]
    ]  # fmt: skip


@command(group, "show")
def show(session: Session, service: Service) -> None:
    """Shows a service: where it runs, what is stable, what it waits for, and its file."""
    found = session.api.get(f"{PATH}/{service}")

    def people() -> None:
        screen = session.screen
        screen.line(f"{found['name']} · revision {found['revision']}", "bold")
        screen.pairs([
            ("applied", f"{clock(found['applied_at'])} by {found['applied_by']}"),
            ("trouble", found.get("broken")),
            *((f"in {target['cluster']}", _standing(target)) for target in found["targets"]),
        ])  # fmt: skip
        screen.line()
        screen.line(_yaml(found["document"]).rstrip())

    session.show(found, people)


def _standing(target: Json) -> str:
    stable = target["stable"]["version"] if target.get("stable") else "nothing"
    parts = [f"{stable} is stable", f"{target['active']} is active" if target.get("active") else "no release runs"]
    parts += [f"{len(target['queue'])} queued"] if target["queue"] else []
    parts += [f"waits for: {target['waits_for']}"] if target.get("waits_for") else []
    parts += [f"QUARANTINED: {target['quarantined']}"] if target.get("quarantined") else []
    parts += [f"paused: {target['paused']}"] if target.get("paused") else []
    return ", ".join(parts)


@command(group, "diff")
def diff(session: Session, file: Files) -> None:
    """Shows what applying the files would change. Exit code 0 also where there is a difference."""
    changes: list[Json] = []
    for one in read(file):
        before = _stored(session, one.service)
        after = _yaml(yaml.safe_load(one.text))
        lines = list(difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"server/{one.service}", str(one.path), lineterm=""
        ))  # fmt: skip
        changes.append({"service": one.service, "diff": lines})
    session.show(changes, lambda: _paint(session, changes))


def _paint(session: Session, changes: list[Json]) -> None:
    for change in changes:
        for line in change["diff"]:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[0] if line else "", "")
            session.screen.line(line, style)
    if not any(change["diff"] for change in changes):
        session.screen.note("nothing would change")


def _stored(session: Session, service: str) -> str:
    try:
        return _yaml(session.api.get(f"{PATH}/{service}")["document"])
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        return ""


@command(group, "export")
def export(
    session: Session,
    service: Annotated[str | None, typer.Argument(help="One service; else all of them.")] = None,
    to: Annotated[Path | None, typer.Option(help="A directory to write NAME.yaml into; else to the terminal.")] = None,
) -> None:
    """Writes service files back from what the server has, for `apply -f`."""
    found = [session.api.get(f"{PATH}/{service}")] if service else session.api.get(PATH)["services"]
    if to is None:
        documents = [one["document"] for one in found]
        session.show(documents, lambda: session.screen.line("---\n".join(_yaml(one) for one in documents).rstrip()))
        return
    to.mkdir(parents=True, exist_ok=True)
    for one in found:
        target = to / f"{one['name']}.yaml"
        if target.exists():
            raise CommandError(f"{target} is there already", "export into another directory, or remove it first")
        target.write_text(_yaml(one["document"]), encoding="utf-8")
        session.screen.note(f"wrote {target}")


def _yaml(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


@command(group, "delete")
def delete(session: Session, service: Service) -> None:
    """Removes a service (admins only). Its history stays, and traffic stays as it is."""
    session.api.delete(f"{PATH}/{service}")
    session.show({"deleted": service}, lambda: session.screen.line(f"{service} deleted"))
