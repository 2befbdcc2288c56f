"""`delivery gate replay`: what gates would have done on a service's own past, read from Prometheus alone."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from delivery.cli.errors import Code, CommandError
from delivery.cli.groups import new_group
from delivery.cli.output import Screen
from delivery.cli.replay import page, report
from delivery.cli.replay.history import History, Nature, nature
from delivery.cli.replay.past_releases import judged_again
from delivery.cli.replay.pseudo import Splitter, steps
from delivery.cli.replay.trials import Judge, Trials, run
from delivery.cli.session import Session, command
from delivery.model.ids import SECOND, GateId, Micros
from delivery.model.mistake import Invalid
from delivery.model.plan import GateSpec, Plan
from delivery.model.scalars import duration
from delivery.model.service import Service
from delivery.model.verdict import Baseline
from delivery.ports.errors import PortError
from delivery.ports.metrics import Past

REPLAYED = ("ratio", "latency", "threshold")
"""Kinds of gates that need nothing but the service's requests."""
SPAN = Micros(6 * 3600 * SECOND)
DAY = Micros(86_400 * SECOND)
TODAY = GateId("threshold")


@dataclass(frozen=True, slots=True)
class Where:
    """Where the past is."""

    prometheus: Annotated[str, typer.Option(help="Where Prometheus is: http://HOST:PORT.")]
    service: Annotated[str, typer.Option(help="The service, as its metrics call it.")]
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h.")] = "30d"
    template: Annotated[str | None, typer.Option(help="Which metrics count.", show_default="found out")] = None
    where: Annotated[list[str] | None, typer.Option(help="LABEL=VALUE that all its series have.")] = None
    prometheus_token: Annotated[
        str | None, typer.Option(envvar="PROMETHEUS_TOKEN", help="A bearer token for it.", show_default=False)
    ] = None
    prometheus_user: Annotated[
        str | None, typer.Option(envvar="PROMETHEUS_USER", help="USER:PASSWORD instead.", show_default=False)
    ] = None
    prometheus_ca: Annotated[str | None, typer.Option(help="A file with the authorities to trust.")] = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Which gates are played, and against what."""

    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A service file with its plan and gates.", exists=True)
    ] = None
    today: Annotated[str, typer.Option(help="The success rate that is demanded today, to compare with.")] = "99%"
    today_over: Annotated[str, typer.Option(help="Over which time.")] = "1m"
    today_failures: Annotated[int, typer.Option(help="How many breaches it lets pass.")] = 1
    allow: Annotated[list[str] | None, typer.Option(help="A gate that may block although over its budget.")] = None
    releases: Annotated[int, typer.Option(min=1, help="At most so many releases.")] = 1000
    seed: Annotated[int, typer.Option(help="The same seed, the same report.")] = 1


def register(app: typer.Typer) -> None:
    group = new_group("Gates: what they would have done on a service's past.")
    command(group, "replay")(replay)
    app.add_typer(group, name="gate")


def replay(
    session: Session,
    at: Where,
    wish: Wish,
    html: Annotated[Path | None, typer.Option(help="Also write a page with plots.")] = None,
    past_releases: Annotated[
        bool, typer.Option("--past-releases", help="Also judge again what the API has kept of past releases.")
    ] = False,
) -> None:
    """Replays a service's past: healthy releases that gates would have rolled back, regressions they would find.

    Needs Prometheus and nothing else. Exit code 1 where a blocking gate is over its false-rollback budget.
    """
    plan, judges, skipped = _judges(_service(wish.file, at.service), wish)
    until = Micros(int(time.time()) * SECOND)
    try:
        past, found = _past(at, until)
        history = _read(past, judges, plan, until, _span(at.since), session.screen)
    except (PortError, ValueError) as error:
        raise CommandError(str(error)) from None
    natures: dict[int | None, Nature] = {bound: nature(history, bound) for bound in (None, *history.above)}
    splitter = Splitter(history, steps(plan, history.step), natures)
    played = [judge for judge in judges if _replayed(judge.spec)]
    trials = _run(splitter, played, wish, session.screen)
    again = judged_again(session.api, at.service, since_text(history.start), judges) if past_releases else None
    stages = [(one.traffic.weight, one.bake) for one in plan.stages if 0 < one.traffic.weight < 100]
    asked = report.Asked(
        at.service, at.prometheus, *found, report.plan_of(stages), wish.seed, tuple(wish.allow or ()), skipped
    )
    told = report.document(asked, history, natures, played, trials, again)
    if html is not None:
        html.write_text(page.html(told), encoding="utf-8")
        session.screen.note(f"the page is {html}")

    def people() -> None:
        for line in report.text(told):
            session.screen.line(line)

    session.show(told, people)
    if told["refused"]:
        raise typer.Exit(Code.FAILED)


def _service(file: Path | None, name: str) -> Service:
    """The service file's, or a canary of 5, 25 and 50 percent with an error gate."""
    from delivery import wiring

    try:
        if file is None:
            return wiring.parse({"service": name, "cluster": "local", "workload": {"process": name}})
        return wiring.parse(wiring.read(file.read_bytes(), str(file)))
    except Invalid as error:
        raise CommandError(str(error)) from None


def _judges(service: Service, wish: Wish) -> tuple[Plan, list[Judge], tuple[str, ...]]:
    """The plan, its gates and today's threshold, and the gates whose past nobody knows."""
    from delivery import wiring
    from delivery.strategies.plan import compile_plan

    try:
        plan = compile_plan(service)
        threshold = wiring.parse(_today(service.name, wish)).gates[0]
    except Invalid as error:
        raise CommandError(str(error)) from None
    known = [spec for spec in plan.gates if spec.kind in REPLAYED]
    share = plan.alpha / max(1, sum(spec.blocking for spec in plan.gates))
    stages = len(plan.stages)
    judges = [Judge(spec, wiring.build_gate(spec, share, stages), share) for spec in known]
    name = GateId(f"{TODAY} {wish.today}")
    judges.append(Judge(replace(threshold, id=name), wiring.build_gate(threshold, share, stages), share, today=True))
    if not any(0 < stage.traffic.weight < 100 for stage in plan.stages):
        raise CommandError(f"the plan of {service.name} has no stage in which both versions have users")
    return plan, judges, tuple(spec.id for spec in plan.gates if not _replayed(spec))


def _replayed(spec: GateSpec) -> bool:
    """Whether the past has all that it compares: no copy of stable was there."""
    return spec.kind in REPLAYED and spec.baseline is not Baseline.FRESH


def _today(name: str, wish: Wish) -> dict[str, object]:
    """A service file whose only gate is the threshold of today."""
    success = {"threshold": "http_success_rate", "at_least": wish.today}
    gate = {**success, "over": wish.today_over, "failure_limit": wish.today_failures}
    return {"service": name, "cluster": "local", "workload": {"process": name}, "gates": {TODAY: gate}}


def _past(at: Where, until: Micros) -> tuple[Past, tuple[str, tuple[str, ...]]]:
    from delivery import wiring

    labels = dict(_pair(one) for one in at.where or ())
    access = (at.prometheus_token, at.prometheus_user, at.prometheus_ca)
    return wiring.past(at.prometheus, at.service, at.template, labels, access, until)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"--where {text} is no LABEL=VALUE", code=Code.USAGE)
    return name, value


def _read(past: Past, judges: Sequence[Judge], plan: Plan, until: Micros, span: Micros, screen: Screen) -> History:
    """The past in windows as long as a tick, or as two scrapes where those are longer."""
    scrape = past.interval(until)
    step = Micros(max(plan.tick, 2 * scrape) // SECOND * SECOND)
    wanted = sorted({bound for judge in judges for bound in _bounds(judge.spec)})
    missing = [bound for bound in wanted if bound not in past.bounds(until)] if wanted else []
    if missing:
        raise CommandError(f"no latency bucket at {missing[0]} ms; there is: {', '.join(map(str, past.bounds(until)))}")
    start = Micros((until - span) // step * step)
    end = Micros(until // step * step)
    history = History(start, step, tuple(wanted))
    with _progress(screen, "reading the past") as progress:
        for first in range(start, end, SPAN):
            last = Micros(min(first + SPAN // step * step, end))
            history.add(past.read(Micros(first), last, step, wanted), past.sources_are_pods)
            progress((last - start) / (end - start))
    if not any(history.whole):
        raise CommandError(f"nothing was measured since {since_text(start)}")
    return history


def _bounds(spec: GateSpec) -> tuple[int, ...]:
    above = spec.params.get("above")
    if isinstance(above, int):
        return (above,)
    return tuple(above) if isinstance(above, list | tuple) else ()


def _run(splitter: Splitter, judges: Sequence[Judge], wish: Wish, screen: Screen) -> Trials:
    with _progress(screen, "playing releases") as progress:
        trials = run(splitter, judges, wish.seed, wish.releases, progress)
    if not trials.releases:
        raise CommandError("the past is shorter than one release: take a longer --since, or a file with shorter stages")
    return trials


def since_text(at: Micros) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // SECOND))


def _span(text: str) -> Micros:
    days = text[:-1] if text.endswith("d") else ""
    if days.isdecimal() and 0 < int(days) <= 400:
        return Micros(int(days) * DAY)
    found = duration(Micros(600 * SECOND), Micros(400 * DAY)).read(text)
    if found is None:
        raise CommandError(f"--since {text} is no time such as 30d or 12h", code=Code.USAGE)
    return found


@contextmanager
def _progress(screen: Screen, what: str) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal; in a pipe nothing: a report is no log."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen.err, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
