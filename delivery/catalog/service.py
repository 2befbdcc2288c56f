"""A service file's meaning: document -> Service, with defaults filled in and every mistake named with its place.

The smallest file has three lines (service, cluster, workload). It gets a canary of 5, 25 and 50 percent, ten minutes
each, watched by one gate: the candidate's share of failed requests against stable's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from delivery.catalog.document import Document
from delivery.catalog.hooks import read_hooks
from delivery.catalog.measured import Measured
from delivery.catalog.policy import read_policy
from delivery.catalog.triggers import read_triggers
from delivery.catalog.workloads import Runs, read_workloads
from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, GateId, Micros
from delivery.model.mistake import Invalid, Mistake, one_of, unknown
from delivery.model.plan import GateSpec, Require
from delivery.model.policy_section import read_policy as read_traffic_policy
from delivery.model.scalars import duration, name, pattern, text
from delivery.model.service import OnNewVersion, Service, Strategy
from delivery.model.verdict import Baseline

_WHERE = frozenset(("service", "cluster", "workload", "namespace", "routes", "config", "promotion", "targets"))
"""The sections that say what runs, and where."""
StrategyParser = Callable[[Fields], Strategy]
DEFAULT_STRATEGIES: Sequence[Mapping[str, object]] = ({"canary": {}},)
DEFAULT_GATES: Mapping[str, object] = {"errors": {"ratio": "http_errors"}}
MENTION = "mention"


class Unusable(Invalid):
    """A file of which no release can begin. `readable` is the service with stand-ins for what is wrong, for releases
    that run: they have their plan, and have to find their way back. None where what runs, or where, is what is wrong.
    """

    def __init__(self, mistakes: Iterable[Mistake], file: str, readable: Service | None) -> None:
        super().__init__(mistakes, file)
        self.readable = readable


class GateKind(Protocol):
    """What the catalogue needs of a kind of gate. `BLOCKS`: it decides, unless the file says otherwise.

    `COMPARES`: it can compare with stable as it was before, too, and with a copy of it.
    """

    BLOCKS: bool
    COMPARES: bool

    def parse(self, fields: Fields) -> Mapping[str, object]:
        """The parameters, as plain JSON; mistakes stay in `fields`."""

    def at_full(self, spec: GateSpec) -> bool:
        """Whether it can say anything where the candidate has every request."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Names in the server's configuration: a service file chooses among them and can never add one.

    `measured` has what the metrics of a cluster measure, for the clusters of which that is known beforehand.
    """

    clusters: Mapping[str, Runs]
    processes: Collection[str]
    channels: Collection[str]
    measured: Mapping[str, Measured] = field(default_factory=dict)
    hosts: Collection[str] = ()


def parse(
    document: Document,
    *,
    strategies: Mapping[str, StrategyParser],
    gates: Mapping[str, GateKind],
    offers: Offers | None = None,
) -> Service:
    """The service. Without `offers` names of the server's configuration are not looked up.

    Raises Invalid with every mistake: Unusable, where it is a service file at all.
    """
    if {"apiVersion", "kind"} <= document.values.keys():
        kind = f"is a Kubernetes object, {document.values['kind']}"
        raise Invalid([Mistake("", 1, kind, "a service file: service: NAME ...")], document.file)
    service, mistakes = _read(document, strategies, gates, offers)
    if mistakes:
        alone, wrong = _read(document, strategies, gates, None) if offers else (service, mistakes)
        lost = any(_section(mistake) in _WHERE for mistake in wrong)
        raise Unusable(mistakes, document.file, None if lost else alone)
    return service


def _section(mistake: Mistake) -> str:
    return mistake.place.partition(".")[0].partition("[")[0]


def _read(
    document: Document, strategies: Mapping[str, StrategyParser], gates: Mapping[str, GateKind], offers: Offers | None
) -> tuple[Service, tuple[Mistake, ...]]:
    """The service, with stand-ins for what is wrong."""
    fields = Fields(_with_defaults(document.values), lines=document.lines)
    service_name, clusters = fields.name("service"), _clusters(fields, offers)
    runs, processes = (offers.clusters, offers.processes) if offers else ({}, None)
    workload, targets = read_workloads(fields, clusters, runs, processes)
    everywhere = {cluster: targets.get(cluster, workload) for cluster in clusters}
    times, notify = fields.sub("workload"), fields.sub("notify")
    service = Service(
        name=service_name,
        owners=fields.many("owners", text(100), ()),
        clusters=clusters,
        workload=workload,
        targets=targets,
        rollback_window=times.get("rollback_window", duration(), HOUR),
        appear_within=times.get("appear_within", duration(SECOND), Micros(10 * MINUTE)),
        on_new_version=fields.choice("on_new_version", OnNewVersion, OnNewVersion.QUEUE_LATEST),
        strategies=_strategies(fields, strategies),
        gates=_gates(fields, gates),
        policy=read_policy(fields.sub("policy")),
        traffic_policy=read_traffic_policy(fields.sub("traffic_policy")),
        tick=fields.get("tick", duration(Micros(SECOND // 10), Micros(5 * MINUTE)), Micros(15 * SECOND)),
        alpha=fields.number("alpha", 0.05, low=0.0001, high=0.2),
        notify=_notify(notify, offers),
        mention=notify.get(MENTION, text(100), ""),
        triggers=read_triggers(fields),
        hooks=read_hooks(fields, everywhere, offers.hosts if offers else None, runs),
    )
    return service, fields.finish()


def _with_defaults(values: Mapping[str, object]) -> Mapping[str, object]:
    return {"strategies": list(DEFAULT_STRATEGIES), "gates": DEFAULT_GATES, **values}


def _clusters(fields: Fields, offers: Offers | None) -> tuple[str, ...]:
    clusters = fields.one_or_many("cluster", name())
    if len(set(clusters)) < len(clusters):
        fields.wrong("cluster", "names a cluster twice")
    for cluster in clusters:
        if offers and cluster and cluster not in offers.clusters:
            fields.wrong(
                "cluster", f"names {cluster}, which {unknown(cluster, offers.clusters)}", one_of(offers.clusters)
            )
    return clusters


def _strategies(fields: Fields, parsers: Mapping[str, StrategyParser]) -> tuple[Strategy, ...]:
    found = []
    for item in fields.subs("strategies", least=1, such_as="`canary: {steps: [5%, 25%]}`"):
        kind = item.only(parsers)
        if kind is not None:
            found.append(parsers[kind](item.sub(kind)))
    return tuple(found)


def _gates(fields: Fields, kinds: Mapping[str, GateKind]) -> tuple[GateSpec, ...]:
    return tuple(
        spec for gate, section in fields.named("gates").items() if (spec := _gate(gate, section, kinds)) is not None
    )


def _gate(gate: str, section: Fields, kinds: Mapping[str, GateKind]) -> GateSpec | None:
    if pattern("[a-z][a-z0-9_-]{0,62}", "").read(gate) is None:
        section.wrong(None, "is no name for a gate", "lower case letters, digits, dashes and underscores")
    named = [kind for kind in kinds if kind in section.keys]
    if len(named) != 1:
        section.wrong(None, "has several kinds" if named else "has no kind", f"exactly {one_of(kinds)}")
        section.skip()
        return None
    kind = kinds[named[0]]
    baseline = _baseline(section) if kind.COMPARES else None
    blocking = section.flag("blocking", kind.BLOCKS and baseline is not Baseline.PREVIOUS)
    require = section.choice("require", Require, Require.NO_FAIL)
    spec = GateSpec(GateId(gate), named[0], kind.parse(section), blocking, require, baseline=baseline)
    return replace(spec, at_full=baseline is not Baseline.FRESH and kind.at_full(spec))


def _baseline(section: Fields) -> Baseline | None:
    """What the gate compares with; None for what every gate does where nothing is said."""
    written = section.choice("baseline", Baseline, Baseline.STABLE)
    return None if written is Baseline.STABLE else written


def _notify(section: Fields, offers: Offers | None) -> Mapping[str, str]:
    channels = [key for key in section.keys if key != MENTION]
    for channel in channels:
        if offers and channel not in offers.channels:
            section.wrong(channel, unknown(channel, offers.channels), one_of(offers.channels))
    return {channel: section.text(channel) for channel in channels}
