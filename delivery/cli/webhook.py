"""`delivery webhook`: what CI does to say that a version is there: an event, signed as Standard Webhooks, posted."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from delivery.cli.errors import Code, CommandError
from delivery.cli.groups import new_group
from delivery.cli.job_token import JobToken
from delivery.cli.release import of_part, sentence
from delivery.cli.session import Session, command
from delivery.sources.signing import sign as signed

group = new_group("Events as CI sends them: sign one, or sign and send it.")
EVENT_TYPE = "delivery.release.requested.v1"
_SECRET = typer.Option(
    envvar="DELIVERY_WEBHOOK_SECRET", help="whsec_..., as the server has it for the source.", show_default=False
)
_Id = Annotated[str | None, typer.Option("--id", help="What makes the delivery one: the same again changes nothing.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="webhook")


@dataclass(frozen=True, slots=True)
class Data:
    """What an event may say besides service, version and actor."""

    cluster: Annotated[str | None, typer.Option(help="One cluster only; else every one of the service.")] = None
    image: Annotated[str | None, typer.Option(help="The image; its digest is the version's identity.")] = None
    config: Annotated[str | None, typer.Option(help="What its tracked configuration is called: a commit.")] = None
    commit: Annotated[str | None, typer.Option(help="For the history.")] = None
    run_url: Annotated[str | None, typer.Option(help="The run of CI, for the history.")] = None
    urgent: Annotated[bool, typer.Option("--urgent", help="Takes the place of a release that is running.")] = False


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends the event, and how it is told from others."""

    secret: Annotated[str | None, _SECRET] = None
    oidc: Annotated[
        str | None, typer.Option(help="Instead of a secret: the job's own token, for this audience (GitHub).")
    ] = None
    source: Annotated[str, typer.Option(help="The name of the source in the server's configuration.")] = "ci"
    event_id: _Id = None


@command(group, "send")
def send(
    session: Session,
    service: Annotated[str, typer.Argument(help="The service.")],
    version: Annotated[str, typer.Argument(help="The version that was built.")],
    actor: Annotated[str, typer.Option(help="The person who pushed; may approve nothing of this release.")],
    data: Data,
    sender: Sender,
) -> None:
    """Signs an event and posts it; the signature is the proof. A job of CI may prove itself by its own token instead.

    On GitHub with --oidc, on GitLab with DELIVERY_TOKEN from `id_tokens`.
    """
    told = {"service": service, "version": version, "actor": actor, **asdict(data)}
    event_id = sender.event_id or uuid4().hex
    body = event(told, event_id)
    headers = _proof(session, sender, event_id, body) | {"content-type": "application/cloudevents+json"}
    answer = session.api.request("POST", f"/v1/webhooks/{sender.source}", content=body, headers=headers).json()
    lines = [sentence(answer), *map(of_part, answer.get("others", ()))]
    session.show(answer, lambda: session.screen.line("\n".join(lines)))


def _proof(session: Session, sender: Sender, event_id: str, body: bytes) -> dict[str, str]:
    """The headers that prove it; none where a token does. Raises CommandError where nothing would."""
    if sender.secret is not None:
        return _signed(sender.secret, event_id, body)
    if sender.oidc is not None:
        session.api.prove(JobToken(os.environ, sender.oidc))
    elif not session.api.of_a_job:
        raise CommandError(
            "nothing proves who sends this",
            "give --secret or DELIVERY_WEBHOOK_SECRET, as the server has it for the source",
            "in a job of CI: --oidc AUDIENCE on GitHub, DELIVERY_TOKEN from `id_tokens` on GitLab",
            code=Code.USAGE,
        )
    return {}


def event(told: Mapping[str, object], event_id: str) -> bytes:
    """A CloudEvent (structured mode) that asks for a release; what is None stays out."""
    document = {
        "specversion": "1.0",
        "id": event_id,
        "source": "https://delivery.invalid/cli",
        "type": EVENT_TYPE,
        "time": datetime.fromtimestamp(time.time(), UTC).isoformat(),
        "data": {name: value for name, value in told.items() if value is not None},
    }
    return json.dumps(document).encode()


@command(group, "sign")
def sign(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The body as it will be sent; - reads it from stdin.")],
    secret: Annotated[str, _SECRET],
    event_id: _Id = None,
) -> None:
    """Prints the headers that a body has to be sent with."""
    body = sys.stdin.buffer.read() if str(file) == "-" else _bytes(file)
    headers = _signed(secret, event_id or uuid4().hex, body)

    def people() -> None:
        for name, value in headers.items():
            session.screen.line(f"{name}: {value}")

    session.show(headers, people)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error


def _signed(secret: str, event_id: str, body: bytes) -> dict[str, str]:
    try:
        return signed(secret, event_id, int(time.time()), body)
    except ValueError as error:
        raise CommandError(f"the secret cannot be used: {error}", code=Code.USAGE) from error
