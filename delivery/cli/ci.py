"""`delivery ci`: what a pipeline calls. Plain lines, annotations, and an exit code that says how it went."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from delivery.cli import watch
from delivery.cli.client import Json, passing
from delivery.cli.errors import Code, CommandError
from delivery.cli.groups import new_group
from delivery.cli.job_token import JobToken
from delivery.cli.naming import PATH, full_name
from delivery.cli.pipeline import End, Pipeline
from delivery.cli.release import ON_THEIR_WAY, Wish, left_out, sentence
from delivery.cli.session import Session, command
from delivery.cli.watch import LONGEST, Update, follow, live, paint, standing, verdict, waits_for_people
from delivery.model.ids import SECOND
from delivery.model.scalars import duration

group = new_group("For pipelines: start a release and wait for its end.")
QUIET = 60.0
"""Seconds after which a log that is silent says where the release stands."""
_SEVERITY = (Code.OK, Code.NEEDS_PERSON, Code.WENT_BACK, Code.FAILED)
"""What the release in the worst cluster means for all of them, least first."""
_STABLE = ("same_as_stable", "stable_again")
"""Answers after which everybody has, or gets back, the version that was asked for."""


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="ci")


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give up, whether a release that needs people is waited for, and how many seconds without an answer."""

    until: float
    people: bool
    silent: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether, and how long, to stay with the release, and what else is told of it."""

    wait: Annotated[bool, typer.Option("--wait", help="Stay until it is over.")] = False
    timeout: Annotated[str, typer.Option(help="How long to wait at most.")] = "1h"
    unreachable: Annotated[str, typer.Option(help="How long the server may be away in a row.")] = "10m"
    wait_for_people: Annotated[
        bool, typer.Option("--wait-for-people", help="Wait on where it needs somebody, instead of ending with 3.")
    ] = False
    abort_on_cancel: Annotated[
        bool, typer.Option("--abort-on-cancel", help="Abort the release where the job is cancelled meanwhile.")
    ] = False
    oidc: Annotated[str | None, typer.Option(help="Prove the job by its own token, for this audience (GitHub).")] = None
    summary: Annotated[Path | None, typer.Option(help="Append a page in Markdown; on GitHub the job's own.")] = None
    annotations: Annotated[Path | None, typer.Option(help="Write a report of annotations for GitLab.")] = None

    def patience(self) -> Patience:
        """From now on. Raises CommandError."""
        limit = time.monotonic() + _seconds("--timeout", self.timeout)
        return Patience(limit, self.wait_for_people, _seconds("--unreachable", self.unreachable))

    def pipeline(self) -> Pipeline:
        return Pipeline(os.environ, self.annotations, self.summary)


def _seconds(option: str, text: str) -> float:
    found = duration().read(text)
    if found is None:
        raise CommandError(f"{option} {text} is no duration", f"expected {duration().expected}", code=Code.USAGE)
    return found / SECOND


@command(group, "release")
def release(
    session: Session,
    service: Annotated[str, typer.Argument(help="The service.")],
    version: Annotated[str, typer.Argument(help="The version that was built.")],
    wish: Wish,
    waiting: Waiting,
) -> None:
    """Starts a release. Exit code 1 where nothing brings the version, be it to one cluster. With --wait: 0 promoted,
    2 went back, 3 needs a person or the time is over.
    """
    patience, pipeline = waiting.patience(), waiting.pipeline()
    wish = replace(wish, commit=wish.commit or pipeline.commit, run_url=wish.run_url or pipeline.run_url)
    _prove(session, waiting)
    try:
        with _terminable():
            answer = _asked(session, patience, lambda key: wish.start(session.api, service, version, key))
        missing = left_out(answer)
    except CommandError as error:
        pipeline.failed(error.cause)
        raise
    except KeyboardInterrupt:
        told = f"`delivery release list --service {service}` shows whether it began"
        session.screen.note(f"the job was cancelled while it asked for its release: {told}")
        raise
    session.screen.note(sentence(answer))
    if missing is not None:
        pipeline.failed(missing.cause)
    open_ones = _bringing(answer)
    if waiting.wait and (open_ones or answer["reason"] not in _STABLE):
        if missing is not None:
            session.screen.note(str(missing))
        code = _followed(session, open_ones, waiting, patience, pipeline)
    else:
        session.show(answer, lambda: None)
        code = Code.OK
    if missing is not None:
        raise missing
    raise typer.Exit(code)


def _prove(session: Session, waiting: Waiting) -> None:
    """By the job's own token, where that is wanted. Raises CommandError."""
    if waiting.oidc is None:
        return
    if waiting.abort_on_cancel:
        hint = "give it a token that may abort: DELIVERY_TOKEN in place of --oidc"
        raise CommandError("--abort-on-cancel: a job's own token may only start releases", hint, code=Code.USAGE)
    session.api.prove(JobToken(os.environ, waiting.oidc))


def _followed(session: Session, open_ones: list[str], waiting: Waiting, patience: Patience, pipeline: Pipeline) -> Code:
    """Stays with the releases, one after another, to their ends; how the worst of them went."""
    ends: list[End] = []
    with _cancelled(session, open_ones, abort=waiting.abort_on_cancel):
        for one in tuple(open_ones):
            ends.append(_see(session, one, patience))
            open_ones.remove(one)
    for told in pipeline.ended(ends):
        session.screen.note(told)
    session.show([end.release for end in ends], lambda: None)
    return max((end.code for end in ends), key=_SEVERITY.index, default=Code.FAILED)


def _bringing(answer: Json) -> list[str]:
    """The releases that bring the version, whether they are new or had it already."""
    first = answer["releases"] if answer["reason"] not in _STABLE else []
    others = [one["release"] for one in answer.get("others", ()) if one["release"] and one["reason"] in ON_THEIR_WAY]
    return [one["id"] for one in [*first, *others]]


def _asked(session: Session, patience: Patience, ask: Callable[[str], Json]) -> Json:
    """The answer, from a server that may be away for a while: with one key it is asked once, however often."""
    key, until, pause = uuid4().hex, time.monotonic() + patience.silent, watch.EVERY
    while True:
        try:
            return ask(key)
        except CommandError as error:
            if not passing(error) or time.monotonic() > until:
                raise
            session.screen.note(f"{error.cause}; trying again")
        watch.rest(pause)
        pause = min(2 * pause, LONGEST)


@contextmanager
def _cancelled(session: Session, open_ones: list[str], *, abort: bool) -> Iterator[None]:
    """A job that is cancelled leaves its release to its gates and to people, unless it was told to abort it."""
    with _terminable():
        try:
            yield
        except KeyboardInterrupt:
            for one in open_ones:
                _left(session, one, abort=abort)
            raise


def _left(session: Session, release: str, *, abort: bool) -> None:
    if not abort:
        session.screen.note(f"the job was cancelled; {release} goes on: `delivery release abort {release}` ends it")
        return
    try:
        session.api.post(f"{PATH}/{release}/abort", {"reason": "the job that waited for it was cancelled"})
        session.screen.note(f"the job was cancelled: {release} goes back to stable")
    except CommandError as error:
        session.screen.note(f"the job was cancelled, but {release} could not be aborted: {error.cause}")


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, by which CI ends a job, is an interruption like any other."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _see(session: Session, release: str, patience: Patience) -> End:
    """Follows one release to its end, or for as long as there is patience."""
    last = _asked(session, patience, lambda _: session.api.get(f"{PATH}/{release}"))
    heard = said = time.monotonic()
    with live(session.screen) as line:
        for update in follow(session.api, last):
            now, last = time.monotonic(), update.release
            heard = heard if update.remark else now
            shown = _not_silent(update, now - said > QUIET and line is None)
            said = now if shown.events or shown.remark else said
            paint(session.screen, shown, line, f"#{last['number']}")
            needed = None if patience.people else waits_for_people(last)
            if needed and not last["finished_at"]:
                return _tell(session, last, f"needs a person: {needed}")
            if now > patience.until and not last["finished_at"]:
                return _tell(session, last, "is not over, but the time to wait is")
            if now - heard > patience.silent:
                return _tell(session, last, f"was last seen {now - heard:.0f}s ago: the server is away", Code.FAILED)
    cause = last["cause"]["text"] if last.get("cause") else last["state"]
    text = " ".join(f"{last['state'].replace('_', ' ')}: {cause}".split())
    session.screen.note(f"{full_name(last)} {text}")
    return End(last, verdict(last), text)


def _not_silent(update: Update, long: bool) -> Update:
    """The update; where there was nothing to say for so long, with where the release stands."""
    told = update.events or update.remark or not long
    return update if told else replace(update, remark=standing(update.release))


def _tell(session: Session, release: Json, what: str, code: Code = Code.NEEDS_PERSON) -> End:
    what = " ".join(what.split())
    session.screen.note(f"{full_name(release)} {what}; `delivery release explain {full_name(release)}` says more")
    return End(release, code, what)
