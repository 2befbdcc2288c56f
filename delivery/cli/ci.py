"""`delivery ci`: what a pipeline calls. Plain lines, and an exit code that says how it went."""

import time
from dataclasses import dataclass
from typing import Annotated

import typer

from delivery.cli.client import Json
from delivery.cli.errors import Code, CommandError
from delivery.cli.naming import PATH, full_name
from delivery.cli.release import Wish, sentence
from delivery.cli.session import Session, command
from delivery.cli.watch import follow, live, paint, verdict, waits_for_people
from delivery.model.ids import SECOND
from delivery.model.scalars import duration

group = typer.Typer(help="For pipelines: start a release and wait for its end.")
_SEVERITY = (Code.OK, Code.NEEDS_PERSON, Code.WENT_BACK)
"""What the release in the worst cluster means for all of them, least first."""
_STABLE = ("same_as_stable", "stable_again")
"""Answers after which everybody has, or gets back, the version that was asked for."""


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="ci")


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give up, and whether a release that needs people is waited for."""

    until: float
    people: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether, and how long, to stay with the release."""

    wait: Annotated[bool, typer.Option("--wait", help="Stay until it is over.")] = False
    timeout: Annotated[str, typer.Option(help="How long to wait at most.")] = "1h"
    wait_for_people: Annotated[
        bool, typer.Option("--wait-for-people", help="Wait on where it needs somebody, instead of ending with 3.")
    ] = False

    def patience(self) -> Patience:
        """From now on. Raises CommandError."""
        limit = duration().read(self.timeout)
        if limit is None:
            raise CommandError(
                f"--timeout {self.timeout} is no duration", f"expected {duration().expected}", code=Code.USAGE
            )
        return Patience(time.monotonic() + limit / SECOND, self.wait_for_people)


@command(group, "release")
def release(
    session: Session,
    service: Annotated[str, typer.Argument(help="The service.")],
    version: Annotated[str, typer.Argument(help="The version that was built.")],
    wish: Wish,
    waiting: Waiting,
) -> None:
    """Starts a release. With --wait: exit code 0 promoted, 2 went back, 3 needs a person or the time is over."""
    patience = waiting.patience()
    answer = wish.start(session.api, service, version)
    session.screen.note(sentence(answer))
    if not waiting.wait or answer["reason"] in _STABLE:
        session.show(answer, lambda: None)
        return
    ends = [_see(session, one["id"], patience) for one in answer["releases"]]
    session.show([end for end, _ in ends], lambda: None)
    raise typer.Exit(max((code for _, code in ends), key=_SEVERITY.index, default=Code.FAILED))


def _see(session: Session, release: str, patience: Patience) -> tuple[Json, Code]:
    """Follows one release to its end, or for as long as there is patience."""
    last = session.api.get(f"{PATH}/{release}")
    with live(session.screen) as line:
        for update in follow(session.api, last):
            last = update.release
            paint(session.screen, update, line, f"#{last['number']}")
            needed = None if patience.people else waits_for_people(last)
            if needed and not last["finished_at"]:
                return last, _tell(session, last, f"needs a person: {needed}")
            if time.monotonic() > patience.until and not last["finished_at"]:
                return last, _tell(session, last, "is not over, but the time to wait is")
    code = verdict(last)
    cause = last["cause"]["text"] if last.get("cause") else last["state"]
    session.screen.note(f"{full_name(last)} {last['state'].replace('_', ' ')}: {cause}")
    return last, code


def _tell(session: Session, release: Json, what: str) -> Code:
    session.screen.note(f"{full_name(release)} {what}; `delivery release explain {full_name(release)}` says more")
    return Code.NEEDS_PERSON
