"""What a replay found, as one document; and the same for people. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from delivery.cli.replay.history import History, Nature, rates
from delivery.cli.replay.trials import TIMES, Found, Judge, Trials
from delivery.model.ids import SECOND, Micros
from delivery.model.scalars import show_duration

POINTS = 240
NOT_ENOUGH = 75
"""With fewer healthy releases not even a gate that never failed has shown that it keeps a budget of 5 %."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, and where the answer came from."""

    service: str
    prometheus: str
    template: str
    labels: tuple[str, ...]
    plan: str
    seed: int
    allowed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def document(
    asked: Asked,
    history: History,
    natures: Mapping[int | None, Nature],
    judges: Sequence[Judge],
    trials: Trials,
    again: Sequence[Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """Everything, for programs; text and page are made of it."""
    gates = [_gate(judge, trials.gates[judge.spec.id], asked.allowed) for judge in judges]
    whole = sum(history.whole)
    return {
        "service": asked.service,
        "source": {"prometheus": asked.prometheus, "template": asked.template, "labels": list(asked.labels)},
        "since": _time(history.start),
        "until": _time(Micros(history.start + len(history) * history.step)),
        "tick_seconds": history.step / SECOND,
        "measured": whole / len(history) if len(history) else 0.0,
        "requests": sum(history.requests),
        "errors": sum(history.errors),
        "requests_per_second": sum(history.requests) / (whole * history.step / SECOND) if whole else 0.0,
        "nature": [_nature(bound, one) for bound, one in natures.items()],
        "plan": asked.plan,
        "seed": asked.seed,
        "healthy_releases": trials.releases,
        "split_by": "pods" if trials.by_pods * 2 > trials.releases else "requests",
        "rolled_back": _share(trials.together),
        "gates": gates,
        "not_replayed": list(asked.skipped),
        "refused": [gate["gate"] for gate in gates if gate["refused"]],
        "past_releases": list(again) if again is not None else None,
        "history": [{"at": _time(at), "rps": rps, "errors": share} for at, rps, share in rates(history, POINTS)],
    }


def _gate(judge: Judge, found: Found, allowed: Sequence[str]) -> dict[str, Any]:
    low, high = found.interval
    over = low > judge.share
    refused = over and judge.spec.blocking and not judge.today and judge.spec.id not in allowed
    return {
        "gate": judge.spec.id,
        "kind": judge.spec.kind,
        "params": dict(judge.spec.params),
        "blocking": judge.spec.blocking and not judge.today,
        "today": judge.today,
        "budget": judge.share,
        "false_rollbacks": _share(found),
        "verdict": "over" if over else "within" if high <= judge.share else "not shown",
        "refused": refused,
        "regressions": [
            {"times": times, "power": found.power(times), "median_minutes": found.median_minutes(times)}
            for times in TIMES
        ],
    }


def _share(found: Found) -> dict[str, Any]:
    low, high = found.interval
    return {"releases": found.releases, "failed": found.failed, "rate": found.rate, "interval": [low, high]}


def _nature(bound: int | None, one: Nature) -> dict[str, Any]:
    what = "errors" if bound is None else f"slower than {bound} ms"
    return {"of": what, "rate": one.rate, "dispersion": one.phi, "autocorrelation": list(one.autocorrelation)}


def text(told: Mapping[str, Any]) -> Iterator[str]:
    """The report in lines."""
    source = told["source"]
    days = (datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"])).total_seconds() / 86_400
    where = f"{source['template']} at {source['prometheus']}"
    yield f"{told['service']} · {days:.3g} days until {told['until'][:16]}Z · {where}"
    yield (
        f"{told['requests']:_} requests".replace("_", " ") + f" ({told['requests_per_second']:.3g}/s),"
        f" {percent(told['errors'], told['requests'])} errors, measured {100 * told['measured']:.3g} % of the time,"
        f" a tick every {told['tick_seconds']:g} s"
    )
    for one in told["nature"]:
        yield (
            f"{one['of']}: {share(one['rate'])}, dispersion {one['dispersion']:.2g},"
            f" autocorrelation {one['autocorrelation'][0]:.2f} from one tick to the next"
        )
    yield ""
    yield (
        f"{told['healthy_releases']} releases of stable against itself ({told['plan']}), divided by {told['split_by']}"
    )
    yield from _table(told)
    yield ""
    yield from _conclusions(told)


def _table(told: Mapping[str, Any]) -> Iterator[str]:
    head = ["gate", "rolled back", "95 %", "budget", *(f"x{times:g}" for times in TIMES), ""]
    rows = [head]
    for gate in told["gates"]:
        wrong = gate["false_rollbacks"]
        low, high = wrong["interval"]
        found = [f"{100 * one['power']:.0f} %, {minutes(one['median_minutes'])}" for one in gate["regressions"]]
        name = f"{gate['gate']} (today)" if gate["today"] else gate["gate"]
        rows.append(
            [name, share(wrong["rate"]), f"{share(low)}-{share(high)}", share(gate["budget"]), *found, gate_says(gate)]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def gate_says(gate: Mapping[str, Any]) -> str:
    """A gate's standing in two words."""
    if gate["refused"]:
        return "REFUSED for blocking"
    if gate["verdict"] == "over":
        return "over budget" if gate["today"] or not gate["blocking"] else "over budget, allowed"
    return {"within": "within budget", "not shown": "not shown either way"}[gate["verdict"]]


def _conclusions(told: Mapping[str, Any]) -> Iterator[str]:
    wrong = told["rolled_back"]
    low, high = wrong["interval"]
    yield (
        f"of {wrong['releases']} healthy releases {wrong['failed']} would have been rolled back by blocking gates:"
        f" {share(wrong['rate'])} ({share(low)} to {share(high)})"
    )
    for gate in told["gates"]:
        if gate["refused"]:
            yield (
                f"{gate['gate']} rolls back more healthy releases than its budget of {share(gate['budget'])}: make it"
                f" `blocking: false`, mend it, or override with --allow {gate['gate']}"
            )
    if told["healthy_releases"] < NOT_ENOUGH:
        yield f"{told['healthy_releases']} releases show little: take a longer --since, or shorter stages"
    for name in told["not_replayed"]:
        yield f"{name} is not replayed: what it compares is not in the past of the service's request counters"
    for one in told["past_releases"] or ():
        yield f"#{one['number']} {one['version']} {one['state']}: {one['says']}"


def share(value: float) -> str:
    """A share in percent, with two figures where it is small."""
    return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"


def percent(part: int, of: int) -> str:
    return f"{100 * part / of:.2g} %" if of else "no"


def minutes(value: float | None) -> str:
    """How long it took; nothing where it was mostly not found."""
    return "-" if value is None else f"{value:.2g} min"


def plan_of(stages: Sequence[tuple[int, Micros]]) -> str:
    """Stages in short: `5 % for 10m, 25 % for 10m`."""
    return ", ".join(f"{weight} % for {show_duration(bake)}" for weight, bake in stages)


def _time(at: Micros) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
