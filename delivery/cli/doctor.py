"""`delivery doctor`: what works and what does not, from the API down to the services."""

from dataclasses import asdict, dataclass

import typer

from delivery.cli.client import Unreachable
from delivery.cli.errors import Code, Refusal
from delivery.cli.naming import PATH, full_name
from delivery.cli.session import Session, command

MOST = 10
"""Releases that are looked at: the newest that run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`state` is ok, warning or failed. `advice` says what to do where it is not ok."""

    what: str
    state: str
    text: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    command(app, "doctor")(doctor)


def doctor(session: Session) -> None:
    """Looks at the API, the database, the workers, the services and what runs. Exit code 1 where something failed."""
    findings = [_api(session)]
    if findings[0].state == "ok":
        findings += [*_ready(session), _token(session)]
    if all(one.state != "failed" for one in findings):
        findings += [*_services(session), *_releases(session), *_stops(session), *_alerts(session)]
    session.show([asdict(one) for one in findings], lambda: _paint(session, findings))
    if any(one.state == "failed" for one in findings):
        raise typer.Exit(Code.FAILED)


def _paint(session: Session, findings: list[Finding]) -> None:
    rows = [(one.what, one.state, one.text + (f"; {one.advice}" if one.advice else "")) for one in findings]
    session.screen.table(("WHAT", "STATE", "FOUND"), rows, "nothing was looked at")


def _api(session: Session) -> Finding:
    try:
        session.api.get("/healthz")
    except Unreachable as error:
        return Finding("api", "failed", error.cause, error.hints[0])
    except Refusal as error:
        return Finding("api", "failed", error.cause, "something else answers at this address: check --url")
    return Finding("api", "ok", f"answers at {session.api.url}")


def _ready(session: Session) -> list[Finding]:
    try:
        ready = session.api.get("/readyz")
    except Refusal as error:
        return [Finding("database", "failed", error.cause, "check the database and [database] url of the server")]
    state = "ok" if ready["status"] == "ready" else "warning"
    silent = [one["name"] for one in ready["workers"] if one["silent"]]
    quiet = f"; silent: {', '.join(silent)}" if silent and state == "ok" else ""
    return [Finding("database", "ok", "answers"), Finding("workers", state, ready["text"] + quiet)]


def _token(session: Session) -> Finding:
    """Asked for by what the token may read: nothing is changed to find out."""
    try:
        session.api.get("/v1/outbox", {"limit": 1})
    except Refusal as error:
        if error.status == 401:
            return Finding("token", "failed", error.cause, error.hints[0])
        return Finding("token", "ok", error.cause)
    return Finding("token", "ok", "may start releases and apply services")


def _services(session: Session) -> list[Finding]:
    services = session.api.get("/v1/services")["services"]
    if not services:
        return [Finding("services", "warning", "none was applied yet", "`delivery services apply -f FILE`")]
    found = []
    for service in services:
        if service.get("broken"):
            found.append(Finding(service["name"], "failed", service["broken"], "mend its file and apply it again"))
        for target in service["targets"]:
            name = f"{service['name']}@{target['cluster']}"
            if target.get("quarantined"):
                advice = "abort its release, or mend the cause and resume it naming quarantined"
                found.append(Finding(name, "failed", f"quarantined: {target['quarantined']}", advice))
            if target.get("paused"):
                found.append(Finding(name, "warning", f"nothing is written: {target['paused']}"))
    return found or [Finding("services", "ok", f"{len(services)} applied, none in trouble")]


def _releases(session: Session) -> list[Finding]:
    """Those that run, with what they wait for: also where a mesh does not answer, which only its workers see."""
    found = []
    for release in session.api.pages(PATH, "releases", {"state": "open"}, MOST):
        whole = session.api.get(f"{PATH}/{release['id']}")
        held = whole["holds"] or whole["mesh_failing"]
        explanation = session.api.get(f"{PATH}/{release['id']}/explain")
        text = "; ".join(explanation["why"])
        advice = f"`delivery release explain {full_name(release)}`" if held else ""
        found.append(Finding(full_name(release), "warning" if held else "ok", text, advice))
    return found


def _stops(session: Session) -> list[Finding]:
    stops = session.api.get("/v1/stop")["stops"]
    return [
        Finding("stop", "warning", f"{one['scope']} by {one['by']}: {one['reason']}", "`delivery stop lift`")
        for one in stops
    ]


def _alerts(session: Session) -> list[Finding]:
    alerts = session.api.get("/v1/alerts", {"limit": 3})["alerts"]
    return [Finding("alert", "warning", f"{one['subject']}: {one['detail']}") for one in alerts]
