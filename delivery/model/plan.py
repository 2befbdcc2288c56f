"""A plan: strategies compiled into stages. Stored with its release and never compiled again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from delivery.model.frozen import replace
from delivery.model.hook import HookSpec, Step, When
from delivery.model.ids import GateId, HookId, Micros
from delivery.model.place import Mode, Place, Promotion
from delivery.model.traffic import Traffic
from delivery.model.verdict import Baseline


class Then(StrEnum):
    """What follows the end of a chain that does not reach 100 percent by itself."""

    ASK = "ask"
    PROMOTE = "promote"
    WITHDRAW = "withdraw"


class LowTraffic(StrEnum):
    """What happens at the deadline of a stage that saw fewer than its `min_requests`."""

    ADVANCE = "advance"
    HOLD = "hold"


class Limit(StrEnum):
    """What happens when a hold for missing data has lasted as long as it may."""

    ASK = "ask"  # stay, and call people
    REVERT = "revert"


class Require(StrEnum):
    NO_FAIL = "no_fail"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class Approval:
    """`count` distinct people, of `group` where named, none of them the initiator. No `expires`: waits for ever.

    Before a stage `expires` runs from when it is asked for; to override a hold, from each person's word.
    """

    count: int = 1
    group: str | None = None
    expires: Micros | None = None


@dataclass(frozen=True, slots=True)
class GateSpec:
    """A gate as data: `kind` names its code in the registry; `params` is plain JSON, checked when it was compiled.

    `at_full`: it can say something even where the candidate has every request, and stable none to compare with.
    `baseline` None: stable, beside the candidate.
    """

    id: GateId
    kind: str
    params: Mapping[str, object]
    blocking: bool = True
    require: Require = Require.NO_FAIL
    at_full: bool = False
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A desired traffic, and what must be true before the next one.

    `bake` is measured, confirmed time. `deadline` bounds shifting and baking together; holds stop it as
    `delivery.machine.holds` says. `approval` is needed before the stage is entered. `hooks` run while it is live: it
    is done only once they have.
    """

    name: str
    strategy: str
    traffic: Traffic
    bake: Micros
    deadline: Micros
    gates: tuple[GateId, ...] = ()
    approval: Approval | None = None
    min_requests: int = 50
    low_traffic: LowTraffic = LowTraffic.HOLD
    hooks: tuple[HookId, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`then` is None where the last strategy reaches 100 percent or is promoted by the raise to it.

    `tick` is the time between two measurements. `alpha` is the false-rollback budget of the whole release. `no_data`
    and `inconclusive` holds last `hold_limit`, then `at_limit`. `promotion` guards the raise to 100 percent.

    `mode` is None where whatever runs is ours (local). `home`: stable is in its owners' own workload and the candidate
    in a copy of it, so that the candidate is brought home in the end, and by whom.
    """

    stages: tuple[Stage, ...]
    gates: tuple[GateSpec, ...] = ()
    then: Then | None = None
    promotion: Approval | None = None
    tick: Micros = Micros(15_000_000)
    alpha: float = 0.05
    hold_limit: Micros = Micros(600_000_000)
    at_limit: Limit = Limit.ASK
    rollback_window: Micros = Micros(3_600_000_000)
    appear_within: Micros = Micros(600_000_000)
    grace: Micros = Micros(15_000_000)  # how long a confirmation may take before stragglers are named
    abort_on: tuple[str, ...] = ()  # names of alerts
    mode: Mode | None = None
    home: Promotion | None = None
    override: Approval | None = None  # who must agree to raise exposure while a hold is on
    hooks: tuple[HookSpec, ...] = ()

    def gate(self, gate: GateId) -> GateSpec:
        """The gate's spec. Raises KeyError for a gate that the plan does not have."""
        for spec in self.gates:
            if spec.id == gate:
                return spec
        raise KeyError(gate)

    def hooks_at(self, step: Step) -> tuple[HookSpec, ...]:
        """The hooks that run at a point, in their order."""
        if step.when is When.DURING and step.stage is not None:
            return tuple(spec for spec in self.hooks if spec.id in self.stages[step.stage].hooks)
        return tuple(spec for spec in self.hooks if step in spec.steps)


def placed(plan: Plan, place: Place | None) -> Plan:
    """The plan as it is followed there."""
    if place is None:
        return replace(plan, mode=None, home=None)
    if place.mode is Mode.OBSERVE:
        return _observing(plan)
    return replace(plan, mode=place.mode, home=place.promotion if place.mode is Mode.CLONE else None)


def _observing(plan: Plan) -> Plan:
    """One look at a version that somebody else gave everybody: as long as the longest stage, by the gates that can say
    something there. Nobody is asked and no hook is waited for, because nothing rises.
    """
    longest = max(plan.stages, key=lambda stage: stage.bake, default=None)
    gates = tuple(spec for spec in plan.gates if spec.at_full)
    stages: tuple[Stage, ...] = ()
    if longest is not None:
        seen = replace(
            longest, name="observe", strategy="observe", traffic=Traffic(weight=100), approval=None, hooks=()
        )
        stages = (replace(seen, gates=tuple(spec.id for spec in gates)),)
    asked_nobody = replace(plan, then=None, promotion=None, override=None)
    told = Step(When.PROMOTED)
    hooks = tuple(replace(spec, steps=(told,)) for spec in plan.hooks_at(told))
    return replace(asked_nobody, stages=stages, gates=gates, mode=Mode.OBSERVE, home=None, hooks=hooks)
