"""Gates over releases that never were: how often they would have failed, and how soon they find what is bad. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

from delivery.cli.replay.chance import wilson
from delivery.cli.replay.pseudo import Splitter, starts
from delivery.gates.gate import Gate, State
from delivery.gates.replay import replay
from delivery.model.ids import MINUTE
from delivery.model.plan import GateSpec
from delivery.model.verdict import Tick

TIMES = (2.0, 4.0, 10.0)
BAD_RELEASES = 200
"""Of each size of regression: enough for a share to within 7 percent points."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A gate as it would run: `share` is its part of the false-rollback budget."""

    spec: GateSpec
    gate: Gate
    share: float
    today: bool = False  # what the team uses now, beside the gates of the plan


@dataclass(slots=True)
class Found:
    """What came out for one gate. `minutes`: for each size of regression, when each release failed, None: never."""

    failed: int = 0
    releases: int = 0
    minutes: dict[float, list[float | None]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.failed / self.releases if self.releases else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.failed, self.releases)

    def power(self, times: float) -> float:
        said = self.minutes.get(times, [])
        return sum(one is not None for one in said) / len(said) if said else 0.0

    def median_minutes(self, times: float) -> float | None:
        """Over all releases: None where not even half of them were found."""
        said = self.minutes.get(times, [])
        late = float("inf")
        middle = median([late if one is None else one for one in said]) if said else late
        return None if middle == late else middle


@dataclass(frozen=True, slots=True)
class Trials:
    gates: Mapping[str, Found]
    releases: int
    by_pods: int
    together: Found
    """Any blocking gate of the plan: what users of the service would see."""


def run(splitter: Splitter, judges: Sequence[Judge], seed: int, most: int, progress: Callable[[float], None]) -> Trials:
    """Every healthy release first, then some of them with a candidate that is worse."""
    begun = starts(splitter.history, splitter.windows, most)
    bad = begun[:: max(1, len(begun) // BAD_RELEASES)][:BAD_RELEASES]
    work = len(begun) + len(bad) * len(TIMES)
    found: dict[str, Found] = {judge.spec.id: Found() for judge in judges}
    together, by_pods = Found(), 0
    known: dict[str, State] = {}
    done = 0
    for first in begun:
        ticks = list(splitter.ticks(first, Random(f"{seed}/{first}")))
        by_pods += splitter.by_pods(first)
        failed = _healthy(judges, ticks, found, known)
        together.failed += failed
        together.releases += 1
        done += 1
        progress(done / work)
    for times in TIMES:
        for first in bad:
            ticks = list(splitter.ticks(first, Random(f"{seed}/{first}"), times))
            for judge in judges:
                ended = replay(judge.gate, ticks, known.get(judge.spec.id))
                late = ended.lasted / MINUTE if ended.failed else None
                found[judge.spec.id].minutes.setdefault(times, []).append(late)
            done += 1
            progress(done / work)
    return Trials(found, len(begun), by_pods, together)


def _healthy(
    judges: Sequence[Judge], ticks: Sequence[Tick], found: Mapping[str, Found], known: dict[str, State]
) -> bool:
    """Whether a blocking gate of the plan failed. Gates go on with what they learned of the service."""
    any_failed = False
    for judge in judges:
        ended = replay(judge.gate, ticks, known.get(judge.spec.id))
        known[judge.spec.id] = ended.final
        one = found[judge.spec.id]
        one.releases += 1
        one.failed += ended.failed
        any_failed = any_failed or (ended.failed and judge.spec.blocking and not judge.today)
    return any_failed
