"""What the section of any strategy may say: when its stages pass, and what follows the last one."""

from dataclasses import dataclass, replace
from typing import Final

from delivery.model.fields import Fields
from delivery.model.ids import HOUR, GateId, Micros
from delivery.model.plan import Approval, LowTraffic, Stage, Then
from delivery.model.policy import TrafficPolicy
from delivery.model.policy_section import read_policy
from delivery.model.scalars import Reader, duration, pattern
from delivery.model.service import StageDefaults
from delivery.model.traffic import Traffic
from delivery.strategies.approvals import PROMOTION, Approvals, approvals

BAKE: Final = duration(Micros(100_000), Micros(720 * HOUR))


def gate_name() -> Reader[str]:
    """How gates are named: in the section `gates`, and wherever one is meant."""
    return pattern(r"[a-z][a-z0-9_-]{0,62}", "the name of a gate, in lower case")


@dataclass(frozen=True, slots=True)
class Terms:
    """None: the service's default. Without a deadline of its own a stage gets three bakes and the default on top.

    `policies` has none (the service's holds), one for every stage, or one for each.
    """

    deadline: Micros | None = None
    gates: tuple[str, ...] | None = None
    min_requests: int | None = None
    low_traffic: LowTraffic | None = None
    policies: tuple[TrafficPolicy | None, ...] = ()

    def stage(
        self,
        name: str,
        strategy: str,
        traffic: Traffic,
        bake: Micros | None,
        defaults: StageDefaults,
        approval: Approval | None = None,
        index: int = 0,
    ) -> Stage:
        """A stage on these terms; `index` is its place among the strategy's own."""
        bake = defaults.bake if bake is None else bake
        gates = defaults.gates if self.gates is None else self.gates
        return Stage(
            name=name,
            strategy=strategy,
            traffic=replace(traffic, policy=self._policy(index, defaults) if traffic.exposes else None),
            bake=bake,
            deadline=Micros(3 * bake + defaults.deadline) if self.deadline is None else self.deadline,
            gates=tuple(GateId(gate) for gate in gates),
            approval=approval,
            min_requests=defaults.min_requests if self.min_requests is None else self.min_requests,
            low_traffic=self.low_traffic or defaults.low_traffic,
        )

    def _policy(self, index: int, defaults: StageDefaults) -> TrafficPolicy | None:
        if not self.policies:
            return defaults.policy
        return self.policies[index] if len(self.policies) > 1 else self.policies[0]


SILENT: Final = Terms()


def terms(fields: Fields, stages: int = 1) -> Terms:
    """The terms in the section of a strategy that has so many stages."""
    gates = fields.many("gates", gate_name(), None)
    if gates is not None and len(set(gates)) < len(gates):
        fields.wrong("gates", "names a gate twice")
    return Terms(
        deadline=fields.get("deadline", BAKE, None),
        gates=gates,
        min_requests=fields.whole("min_requests", None),
        low_traffic=fields.choice("low_traffic", LowTraffic, None),
        policies=_policies(fields, stages),
    )


def _policies(fields: Fields, stages: int) -> tuple[TrafficPolicy | None, ...]:
    if "traffic_policy" not in fields:
        return ()
    if not fields.is_list("traffic_policy"):
        return (read_policy(fields.sub("traffic_policy")),)
    policies = tuple(read_policy(section) for section in fields.subs("traffic_policy", least=1))
    if len(policies) != stages:
        problem = f"has {len(policies)} policies for {stages} stages"
        fields.wrong("traffic_policy", problem, "one mapping, or a list with one for each stage")
        return ()
    return policies


def asked(fields: Fields) -> tuple[Then | None, Approvals]:
    """What follows where the strategy comes last, and who is asked before it begins and then."""
    then, guards = fields.choice("then", Then, Then.ASK), approvals(fields)
    if PROMOTION in guards and then is not Then.ASK:
        problem = f"asks before {PROMOTION}, which then: {then} decides"
        fields.wrong("approval", problem, "then: ask, or before: begin")
    return then, guards
