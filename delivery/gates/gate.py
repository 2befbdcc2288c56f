"""What a gate is: ticks of two versions in, a verdict out. Pure, so that a replay says what was said at the time."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from delivery.model.fields import Fields
from delivery.model.plan import GateSpec
from delivery.model.verdict import Judgement, Tick, Verdict

State: TypeAlias = Mapping[str, Any]
"""A gate's accumulators as plain JSON: numbers, texts, lists and mappings. Finite: no NaN, no infinity."""

PATIENCE = 4
"""Looks in a row that may bring nothing before a gate says NO_DATA: a scrape may be late."""


class Gate(Protocol):
    """One gate over all stages of one release."""

    def start(self, before: State | None = None) -> State:
        """The state before the first tick. `before` is where this gate ended in the release before, if it ran there.

        Of that only what it tells of the service counts (how bursty errors are), never evidence about a version.
        """

    def add(self, state: State, tick: Tick) -> State:
        """The state after one more tick; the argument stays as it was.

        A stage that the state has not seen yet begins with its first tick. Ticks that are not complete count for
        nothing but patience.
        """

    def verdict(self, state: State) -> Verdict:
        """What the ticks so far say. FAIL is for good: once said, it is said again whatever follows."""

    def judge(self, state: State) -> Judgement:
        """The verdict with the numbers that people need to believe it; the verdict alone costs less."""


class Kind(Protocol):
    """A kind of gate: what a module of this package offers to the registry.

    `BLOCKS`: it may stop a release and take it back, unless the file says otherwise. `COMPARES`: it can compare with
    stable as it was before, too, and with a copy of it.
    """

    BLOCKS: bool
    COMPARES: bool

    def parse(self, fields: Fields) -> Mapping[str, object]:
        """The parameters out of a service file, as plain JSON, defaults filled in. Mistakes stay in `fields`."""

    def build(self, spec: GateSpec, alpha: float, stages: int) -> Gate:
        """The gate. `alpha` is its share of the release's false-rollback budget, `stages` how many its plan has."""

    def at_full(self, spec: GateSpec) -> bool:
        """Whether it can say anything where the candidate has all requests and stable none."""
