"""How many releases end without a person, and what either policy for little traffic lets through.

Whole releases by the real parts: counters are measured by the engine's Measurer, judged by the default gate, and the
machine decides. Proxies confirm at once. A release needs a person where a hold has lasted as long as it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from numpy.random import Generator

from benchmarks.gates.judges import ERRORS, KINDS
from benchmarks.gates.tables import RAMP, Demand, Report, Table
from benchmarks.gates.traffic import TICK, generator
from delivery.engine.measure import Measurer
from delivery.gates.gate import Gate
from delivery.machine.holds import OWN_LIMIT
from delivery.model.codec import digest
from delivery.model.effect import Measure
from delivery.model.event import Phase
from delivery.model.fields import Fields
from delivery.model.ids import MINUTE, SECOND, GateId, Micros
from delivery.model.plan import GateSpec, LowTraffic, Plan, Stage
from delivery.model.series import Sample, Series
from delivery.model.service import Policy
from delivery.model.signal import Due
from delivery.model.traffic import Traffic
from delivery.ports.rows import Measuring
from delivery.testing.builders import Story, a_story_in

RATES = (0.1, 0.2, 0.5, 1.0, 5.0, 10.0, 50.0)
BASELINE = 0.005
TIMES = (1, 4, 10, 200)
"""200 times half a percent: every request fails."""
PART = 3  # of the runs of other tables: each look here is a whole turn of engine and machine
LONGEST = 3 * 60 * 60 // TICK


@dataclass(frozen=True, slots=True)
class Ended:
    """How: `promoted`, `rolled_back` or `person`; the bad requests of the candidate until then, and the minutes."""

    how: str
    bad: int
    minutes: float


def people(report: Report) -> None:
    """By traffic, for both policies."""
    runs = max(20, report.runs // PART)
    worse = [f"{name}: {what}" for name in ("x4", "x10", "all fail") for what in ("rolled back", "person", "bad")]
    head = ("requests/s", "low_traffic", "healthy: without a person", "rolled back", "minutes", *worse)
    table = Table(f"Without a person: 5, 25, 50 % for 10 min each, {100 * BASELINE:g} % errors, {runs} releases", head)
    for rps in RATES:
        for policy in LowTraffic:
            report.say(f"without a person: {rps:g} requests/s, {policy.value}")
            ends = {times: _ends(rps, policy, times, runs) for times in TIMES}
            table.rows.append(_row(rps, policy, ends))
            if policy is Policy().low_traffic and rps >= 1:
                alone = sum(one.how == "promoted" for one in ends[1]) / runs
                what = f"{rps:g} requests/s: at least 95 % of healthy releases end without a person"
                report.demands.append(Demand(what, f"{100 * alone:.3g} %", alone >= 0.95))
            table.cells[f"{rps:g}, {policy.value}"] = {f"x{times}": _plain(told) for times, told in ends.items()}
    report.tables.append(table)


def _row(rps: float, policy: LowTraffic, ends: Mapping[int, list[Ended]]) -> tuple[str, ...]:
    healthy = ends[1]
    alone = [one for one in healthy if one.how == "promoted"]
    minutes = f"{sum(one.minutes for one in alone) / len(alone):.0f}" if alone else "-"
    row = [f"{rps:g}", policy.value, _share(healthy, "promoted"), _share(healthy, "rolled_back"), minutes]
    for times in TIMES[1:]:
        told = ends[times]
        row += [_share(told, "rolled_back"), _share(told, "person"), f"{sum(one.bad for one in told) / len(told):.1f}"]
    return tuple(row)


def _share(ends: list[Ended], how: str) -> str:
    return f"{100 * sum(one.how == how for one in ends) / len(ends):.3g} %"


def _plain(ends: list[Ended]) -> Mapping[str, float]:
    count = len(ends)
    shares = {how: sum(one.how == how for one in ends) / count for how in ("promoted", "rolled_back", "person")}
    means = {"bad": sum(one.bad for one in ends) / count, "minutes": sum(one.minutes for one in ends) / count}
    return {"runs": count, **shares, **means}


def _ends(rps: float, policy: LowTraffic, times: int, runs: int) -> list[Ended]:
    plan, measurer = _plan(policy), Measurer(_build)
    return [_release(plan, measurer, rps, times, generator(rps, times, run)) for run in range(runs)]


def _plan(policy: LowTraffic) -> Plan:
    """What a service file of three lines compiles to."""
    fields = Fields(ERRORS)
    spec = GateSpec(GateId("errors"), "ratio", KINDS["ratio"].parse(fields))
    stages = tuple(
        Stage(
            f"{100 * share:.0f}%", "canary", Traffic(weight=round(100 * share)), Micros(minutes * MINUTE),
            Micros((3 * minutes + 1) * MINUTE), (spec.id,), low_traffic=policy,
        )
        for share, minutes in RAMP
    )  # fmt: skip
    return Plan(stages, (spec,))


def _build(spec: GateSpec, alpha: float, stages: int) -> Gate:
    return KINDS[spec.kind].build(spec, alpha, stages)


class _World:
    """Raw counters of both versions, and a release that they are measured for."""

    def __init__(self, plan: Plan, measurer: Measurer, chance: Generator) -> None:
        self.story: Story = a_story_in(Phase.BAKING, plan=plan, plan_digest=digest(plan))
        self.measurer, self.chance = measurer, chance
        self.measuring: Measuring = measurer.begin(self.story.release, {})
        self.counted = [Series(0, 0), Series(0, 0)]

    def serve(self, rps: float, rates: tuple[float, float]) -> None:
        release = self.story.release
        share = release.plan.stages[release.stage].traffic.weight / 100
        for side, (part, rate) in enumerate(zip((share, 1 - share), rates, strict=True)):
            requests = int(self.chance.poisson(rps * TICK * part))
            bad = int(self.chance.binomial(requests, rate))
            before = self.counted[side]
            self.counted[side] = replace(before, requests=before.requests + requests, errors=before.errors + bad)

    def look(self) -> None:
        now = Micros(self.story.context.now + TICK * SECOND)
        samples = Sample(now, {"proxy": self.counted[0]}), Sample(now, {"proxy": self.counted[1]})
        release = self.story.release
        effect = Measure(release.stage, release.dseq)
        self.measuring, told, _ = self.measurer.look(self.measuring, release, effect, samples, now)
        self.story.tell(told if told is not None else Due(), after=TICK * SECOND)


def _release(plan: Plan, measurer: Measurer, rps: float, times: int, chance: Generator) -> Ended:
    world = _World(plan, measurer, chance)
    for looks in range(LONGEST):
        release = world.story.release
        if how := _ended(world.story):
            return Ended(how, world.counted[0].errors, looks * TICK / 60)
        if release.phase is Phase.SHIFTING:
            world.story.confirm()
        world.serve(rps, (min(1.0, BASELINE * times), BASELINE))
        world.look()
    return Ended("person", world.counted[0].errors, LONGEST * TICK / 60)


def _ended(story: Story) -> str:
    release = story.release
    if release.phase is Phase.PROMOTING:
        return "promoted"
    if release.phase is Phase.ROLLING_BACK:
        return "rolled_back"
    asks = any(hold.kind in OWN_LIMIT and hold.until is None for hold in release.holds)
    return "person" if asks else ""
