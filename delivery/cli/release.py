"""`delivery release`: start, list, show, explain; what people say to a release is in `actions`, watching in `watch`."""

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from delivery.cli import actions, watch
from delivery.cli.client import Api, Json
from delivery.cli.errors import CommandError
from delivery.cli.groups import new_group
from delivery.cli.naming import PATH, find, full_name
from delivery.cli.output import Cell, Screen
from delivery.cli.session import Session, command
from delivery.wording.units import counted

group = new_group("Releases: list, explain, watch, start one; approve, pause, abort it, roll it back.")
Name = Annotated[str, typer.Argument(metavar="RELEASE", help="Its number, SERVICE/NUMBER, or its id.")]

_HEADERS = ("RELEASE", "SERVICE", "CLUSTER", "VERSION", "STATE", "ACTOR", "STARTED")
_WIDE = ("ENDED", "ID")
ON_THEIR_WAY = ("same_as_active", "same_as_queued", "active_again")
_THERE = ("same_as_stable", *ON_THEIR_WAY)
"""Why nothing follows from a request, where the version is stable or on its way."""
_BRING = ("release", "signal")
"""What becomes of a request after which the version is on its way or stays."""
_INSTEAD = {
    "busy": ("nothing was queued: ask again when that release is over, or with --urgent to take its place",),
    "being_rolled_back": ("nothing began: once that is over, `delivery release retry` brings the version again",),
}
"""What to do about the others."""


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="release")


@dataclass(frozen=True, slots=True)
class Wish:
    """What may be said of a release that is to start."""

    cluster: Annotated[str | None, typer.Option(help="One cluster only; else every one of the service.")] = None
    image: Annotated[str | None, typer.Option(help="The image; its digest is the version's identity.")] = None
    config: Annotated[str | None, typer.Option(help="What its tracked configuration is called: a commit.")] = None
    identity: Annotated[str | None, typer.Option(help="What decides sameness, where there is no image.")] = None
    urgent: Annotated[bool, typer.Option("--urgent", help="Takes the place of a release that is running.")] = False
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the history.")] = ""
    commit: Annotated[str | None, typer.Option(help="The commit; `ci release` knows it from its job.")] = None
    run_url: Annotated[str | None, typer.Option(help="The run of CI; `ci release` knows it from its job.")] = None

    def start(self, api: Api, service: str, version: str, key: str | None = None) -> Json:
        """Asks for the release; what became of that. With the same `key` it is asked once, however often."""
        asked = {"service": service, "version": version, **asdict(self)}
        return api.post(PATH, {name: value for name, value in asked.items() if value is not None}, key)


@command(group, "start")
def start(
    session: Session,
    service: Annotated[str, typer.Argument(help="The service.")],
    version: Annotated[str, typer.Argument(help="The version that is to become stable.")],
    wish: Wish,
) -> None:
    """Starts a release, as an event of CI would. Exit code 1 where nothing brings the version, be it to one cluster."""
    answer = wish.start(session.api, service, version)
    if answer["reason"] == "rejected_identity":
        raise CommandError(answer["text"], *_brought_back(session.api, service, version, wish.cluster))
    missing = left_out(answer)
    session.show(answer, lambda: session.screen.line(named(session.api, answer)))
    if missing is not None:
        raise missing


def left_out(answer: Json) -> CommandError | None:
    """What to say of the clusters where the version is neither stable nor brought by any release: whoever asked must
    not go on as if it were. Raises that where it is so everywhere.
    """
    parts = [answer, *answer.get("others", ())]
    missing = [one for one in parts if one["outcome"] not in _BRING and one["reason"] not in _THERE]
    if not missing:
        return None
    hints = dict.fromkeys(hint for one in missing for hint in _INSTEAD.get(one["reason"], ()))
    error = CommandError("; ".join(map(of_part, missing)), *hints)
    if len(missing) == len(parts):
        raise error
    return error


def of_part(answer: Json) -> str:
    """What became of it, with the target where that is one of several."""
    target = answer.get("target")
    return f"{target}: {answer['text']}" if target else str(answer["text"])


def _brought_back(api: Api, service: str, version: str, cluster: str | None) -> list[str]:
    """The command that releases it nevertheless; none where no release had it under this name."""
    asked = {"service": service, "version": version, "cluster": cluster, "state": "closed", "per_page": 1}
    last = api.get(PATH, {name: value for name, value in asked.items() if value is not None})["releases"]
    return [f"`delivery release retry {full_name(one)}` releases it once more" for one in last]


def named(api: Api, answer: Json) -> str:
    """What became of a request; its releases by the names that every other command takes."""
    names = [full_name(api.get(f"{PATH}/{one['id']}")) for one in answer["releases"]]
    return f"{', '.join(names)}: {answer['text']}" if names else str(answer["text"])


def sentence(answer: Json) -> str:
    """What became of a request, with the ids of the releases: for those who may not look them up."""
    names = ", ".join(one["id"] for one in answer.get("releases", ()))
    return f"{answer['text']}{f' ({names})' if names else ''}"


@dataclass(frozen=True, slots=True)
class Query:
    """All that are given must hold."""

    service: Annotated[str | None, typer.Option(help="Of this service.")] = None
    cluster: Annotated[str | None, typer.Option(help="In this cluster.")] = None
    state: Annotated[str | None, typer.Option(help="open, closed, or a state such as rolled_back.")] = None
    actor: Annotated[str | None, typer.Option(help="Started by this person.")] = None
    version: Annotated[str | None, typer.Option(help="Of this version.")] = None
    since: Annotated[str | None, typer.Option(help="Created at or after this time (RFC 3339).")] = None
    until: Annotated[str | None, typer.Option(help="Created before this time (RFC 3339).")] = None


@command(group, "list")
def list_(
    session: Session,
    query: Query,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")] = 25,
) -> None:
    """Lists releases, the newest first."""
    found = session.api.pages(PATH, "releases", asdict(query), limit)
    screen = session.screen
    headers = _HEADERS + (_WIDE if screen.wide else ())
    rows = [_row(one)[: len(headers)] for one in found]
    session.show(found, lambda: screen.table(headers, rows, "no release fits"))


def _row(release: Json) -> tuple[Cell, ...]:
    before = release.get("from")
    versions = f"{before['version']} -> {release['to']['version']}" if before else release["to"]["version"]
    return (
        f"#{release['number']}", release["service"], release["cluster"], versions, release["state"], release["actor"],
        clock(release["created_at"]), clock(release.get("finished_at")), release["id"],
    )  # fmt: skip


def clock(time: str | None) -> str | None:
    """A time of the API to the second, as people read it."""
    return f"{time[:10]} {time[11:19]} UTC" if time else None


@command(group, "show")
def show(session: Session, release: Name) -> None:
    """Shows one release: its stages, what was measured, why it is held or how it ended."""
    found = find(session.api, release)
    session.show(found, lambda: paint(session.screen, found))


def paint(screen: Screen, release: Json) -> None:
    """A whole release for people."""
    exposure, cause = release["exposure"], release.get("cause")
    screen.line(release["text"], "bold")
    seen = f"at most {exposure['max_percent']} %, {exposure['requests']} requests, {exposure['failed']} failed"
    screen.pairs([
        ("state", release["state"]),
        ("cause", cause["text"] if cause else None),
        ("reverted in", release.get("reverted_in")),
        ("trouble", "the mesh cannot be reached; traffic stays as it is" if release.get("mesh_failing") else None),
        ("candidate had", seen),
        ("started", clock(release["created_at"])),
        ("ended", clock(release.get("finished_at"))),
        *(("held", hold["text"]) for hold in release.get("holds", ())),
        *(("hook", _hook(one)) for one in release.get("hooks", ())),
        *(("link", f"{name} {url}") for name, url in release["links"].items() if screen.wide),
        ("possible", ", ".join(release["actions"])),
        ("id", release["id"]),
    ])  # fmt: skip
    screen.line()
    stages = [*release["stages"], release["promotion"]]
    screen.table(
        ("STAGE", "STATE", "CANDIDATE GETS", "PROVEN", "MEASURED"), [_stage(one) for one in stages], "no stages"
    )


def _hook(hook: Json) -> str:
    """`smoke (during canary 5%): passed, 12 checks`."""
    point = f"{hook['when']} {hook['stage']}" if hook.get("stage") else hook["when"]
    said = f", {hook['detail']}" if hook.get("detail") else ""
    return f"{hook['hook']} ({point}): {hook['state']}{said}"


def _stage(stage: Json) -> tuple[Cell, ...]:
    split = stage["split"]
    proven = f"{split['confirmed']} %, {split['level']}" if split.get("level") else None
    if split.get("observed") is not None:
        proven = f"{proven}, {split['observed']} % observed"
    findings = "; ".join(gate["text"] for gate in stage.get("analysis", ()))
    measured = "; ".join(part for part in (findings, _agreed(stage)) if part)
    return stage["name"], stage["state"], stage["traffic"], proven, measured


def _agreed(stage: Json) -> str:
    """Who let it in; of one that is to come, who has to."""
    approved = ", ".join(f"approved by {one['actor']}" for one in stage.get("approvals", ()))
    needs = stage.get("needs")
    if not needs or stage["state"] != "pending":
        return approved
    of = f" of {needs['group']}" if needs["group"] else ""
    wanted = f"needs {counted(needs['count'], 'approval')}{of}"
    return f"{wanted}, {approved}" if approved else wanted


@command(group, "history")
def history(session: Session, release: Name) -> None:
    """Prints everything that happened to a release, in order."""
    found = find(session.api, release)
    events = watch.events(session.api, found["id"])
    rows = [(one["seq"], clock(one["at"]), one["type"], one["text"]) for one in events]
    session.show(events, lambda: session.screen.table(("NO", "AT", "EVENT", "WHAT"), rows, "nothing happened yet"))


@command(group, "explain")
def explain(session: Session, release: Name) -> None:
    """Says why it is where it is, what it waits for, and who can change that."""
    found = find(session.api, release)
    explanation = session.api.get(f"{PATH}/{found['id']}/explain")
    session.show(explanation, lambda: _paint_explanation(session.screen, found, explanation))


def _paint_explanation(screen: Screen, release: Json, explanation: Json) -> None:
    screen.line(release["text"], "bold")
    screen.pairs([
        *(("why", one) for one in explanation["why"]),
        *(("waits for", one) for one in explanation["waits_for"]),
        ("next look", clock(explanation.get("until"))),
        *(("who", one) for one in explanation["who"]),
        ("possible", _possible(release)),
    ])  # fmt: skip


def _possible(release: Json) -> str | None:
    """The actions that fit now, and how one is typed."""
    if not release["actions"]:
        return None
    first, *_ = release["actions"]
    return f"{', '.join(release['actions'])}, such as: delivery release {first} {full_name(release)} -m WHY"


actions.add_to(group)
watch.add_to(group)
