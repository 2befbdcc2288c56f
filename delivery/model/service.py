"""A service as its owners wrote it down: what the service file means, with the defaults filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from delivery.model.hook import OnFailure, When
from delivery.model.ids import HookId, Micros
from delivery.model.place import Place
from delivery.model.plan import Approval, GateSpec, Limit, LowTraffic, Stage, Then
from delivery.model.policy import TrafficPolicy
from delivery.model.traffic import Traffic
from delivery.model.trigger import Trigger


class OnNewVersion(StrEnum):
    """What a new version means while a release of the same target runs."""

    QUEUE_LATEST = "queue_latest"
    SUPERSEDE = "supersede"
    REJECT = "reject"


class OnDrift(StrEnum):
    """What happens to a foreign change of the route while no release runs. During a release it is always corrected."""

    ALERT = "alert"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class StageDefaults:
    """What a strategy fills in where its own section is silent. `deadline` comes on top of three times the bake.

    `approval` is who is asked where people are asked at all.
    """

    bake: Micros
    deadline: Micros
    min_requests: int
    low_traffic: LowTraffic
    gates: tuple[str, ...]
    approval: Approval
    policy: TrafficPolicy | None = None


class Strategy(Protocol):
    """Parameters of one strategy, compiled to stages. Pure."""

    @property
    def kind(self) -> str:
        """Its name in the service file."""

    @property
    def then(self) -> Then | None:
        """What follows if it comes last; None where its last stage leads to promotion by itself."""

    def promotion(self, defaults: StageDefaults) -> Approval | None:
        """The approval that guards the raise to 100 percent, where it asks for one and has no stage for it."""

    def stages(self, before: Traffic, defaults: StageDefaults) -> tuple[Stage, ...]:
        """Its stages, starting from the traffic that the strategy before it ended with. A plan never lowers."""


@dataclass(frozen=True, slots=True)
class FreezeRule:
    """Opens at each time of `cron` in time zone `tz` and lasts `lasts`."""

    cron: str
    tz: str
    lasts: Micros


@dataclass(frozen=True, slots=True)
class Hook:
    """`kind` names the adapter, `params` is what that needs. `before` names stages, start, traffic or promotion;
    `during` stages. A strategy's section may name it, too.
    """

    id: HookId
    kind: str
    params: Mapping[str, object]
    timeout: Micros = Micros(300_000_000)
    retries: int = 0
    on_failure: OnFailure = OnFailure.REVERT
    before: tuple[str, ...] = ()
    during: tuple[str, ...] = ()
    after: tuple[When, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """`kind` names the adapter's notion ("process", "deployment"), `name` the thing itself, `place` where it is."""

    kind: str
    name: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    low_traffic: LowTraffic = LowTraffic.ADVANCE
    min_requests: int = 50
    hold_limit: Micros = Micros(600_000_000)
    at_limit: Limit = Limit.ASK
    on_drift: OnDrift = OnDrift.ALERT
    abort_on: tuple[str, ...] = ()
    freeze: tuple[FreezeRule, ...] = ()
    override: Approval | None = None  # who must agree to raise exposure while a hold is on
    approval: Approval | None = None  # who is asked where an approval leaves it out


@dataclass(frozen=True, slots=True)
class Service:
    """`clusters` has one target each. `notify` maps a chat adapter's name to a channel of it.

    `mention` is who is called by name there. `targets` has the workloads of clusters in which it is another one than
    `workload`. `triggers` say which events of other systems start a release.
    """

    name: str
    clusters: tuple[str, ...]
    workload: Workload
    strategies: tuple[Strategy, ...]
    gates: tuple[GateSpec, ...]
    owners: tuple[str, ...] = ()
    on_new_version: OnNewVersion = OnNewVersion.QUEUE_LATEST
    policy: Policy = Policy()
    tick: Micros = Micros(15_000_000)
    alpha: float = 0.05
    rollback_window: Micros = Micros(3_600_000_000)
    appear_within: Micros = Micros(600_000_000)
    notify: Mapping[str, str] = field(default_factory=dict)
    mention: str = ""
    triggers: tuple[Trigger, ...] = ()
    targets: Mapping[str, Workload] = field(default_factory=dict)
    traffic_policy: TrafficPolicy | None = None
    hooks: tuple[Hook, ...] = ()

    def workload_in(self, cluster: str) -> Workload:
        """What runs in this cluster."""
        return self.targets.get(cluster, self.workload)
