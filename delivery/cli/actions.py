"""What people say to a release. Each is one call; 409 names what is allowed instead."""

from typing import Annotated, Any

import typer

from delivery.cli.client import Json
from delivery.cli.naming import PATH, find, full_name
from delivery.cli.session import Command, Session, command

_Name = Annotated[str, typer.Argument(metavar="RELEASE", help="Its number, SERVICE/NUMBER, or its id.")]
_Reason = Annotated[str, typer.Option("--reason", "-m", help="Why, for the history and for chat.")]
_Holds = Annotated[list[str] | None, typer.Option("--hold", help="The hold to lift; more than once for several.")]

_HELP = {
    "approve": "Agrees to the next stage, where the plan asks people. Not for whoever started the release.",
    "reject": "Declines the next stage: traffic goes back to stable.",
    "pause": "Keeps exposure as it is until somebody resumes.",
    "promote": "Skips every remaining stage: the candidate gets everybody.",
    "abort": "Sends all traffic back to stable, at once.",
    "retry": "Starts a new release of the same candidate, after one that is over.",
    "rollback": "Starts a new release that goes back to the version before, after one that was promoted.",
}


def add_to(group: typer.Typer) -> None:
    for name, text in _HELP.items():
        command(group, name)(_action(name, text))
    command(group, "resume")(resume)


def _action(name: str, text: str) -> Command:
    def act(session: Session, release: _Name, reason: _Reason = "") -> None:
        say(session, find(session.api, release), name, {"reason": reason})

    act.__doc__ = text
    return act


def resume(session: Session, release: _Name, hold: _Holds = None, reason: _Reason = "") -> None:
    """Lifts the pause, or exactly the holds that are named."""
    say(session, find(session.api, release), "resume", {"reason": reason, "holds": hold or ["pause"]})


def say(session: Session, release: Json, action: str, body: Json) -> None:
    """Posts the action and prints what it did."""
    answer: dict[str, Any] = session.api.post(f"{PATH}/{release['id']}/{action}", body)
    told = f"#{release['number']} {action}: {answer['reason'].replace('_', ' ')}; {answer['text']}"
    new = answer["release"]["id"]
    if answer["outcome"] == "release" and session.screen.for_people:
        told = f"#{release['number']} {action}: {full_name(session.api.get(f'{PATH}/{new}'))}; {answer['text']}"
    session.show(answer, lambda: session.screen.line(told))
