"""Services as applied, parsed once per revision, and the context that a decision about a target is made in."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from delivery.catalog.service import Unusable
from delivery.engine.audience import Audience
from delivery.model.context import Context, Freeze, Stop
from delivery.model.frozen import replace
from delivery.model.ids import SECOND, Micros, Principal, ReleaseId, TargetId
from delivery.model.outward import Subscriber
from delivery.model.place import Place
from delivery.model.plan import Plan
from delivery.model.service import FreezeRule, Service
from delivery.model.target import Target
from delivery.ports.clock import Clock
from delivery.ports.errors import Refused
from delivery.ports.ledger import Ledger
from delivery.ports.rows import ServiceRecord, StopOrder

Parse = Callable[[Mapping[str, object]], Service]
Compile = Callable[[Service], Plan]
Frozen = Callable[[Sequence[FreezeRule], Micros], tuple[Freeze | None, Micros | None]]
STALE_AFTER = SECOND
MADE_UP = 1000
"""Names of services that are not there, of which so many are remembered: anybody who may ask can make them up."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A service with the plan that a release of it would get now.

    `broken` says why a stored file is not usable: then there is no plan, so that nothing begins; and a service only for
    releases that run, where the file still says what runs and where.
    """

    record: ServiceRecord
    service: Service | None
    plan: Plan | None
    broken: str = ""
    plans: Mapping[str, Plan] = field(default_factory=dict)

    def plan_in(self, cluster: str) -> Plan | None:
        """The plan as it is followed in this cluster: a service may live differently in each."""
        return self.plans.get(cluster, self.plan)


class Book:
    """`subscribers` are the server's: other systems that are told of releases."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        parse: Parse,
        compile_plan: Compile,
        frozen: Frozen,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._parse = parse
        self._compile = compile_plan
        self._frozen = frozen
        self._subscribers = tuple(subscribers)
        self._entries: dict[str, Entry] = {}
        self._recent: dict[str, tuple[Micros, Entry | None]] = {}
        self._stops: tuple[Micros, tuple[StopOrder, ...]] | None = None

    def fresh(self, name: str) -> Entry | None:
        """The service as it is applied at this moment; None where it is unknown."""
        return self.read([name])[name]

    def read(self, names: Collection[str]) -> Mapping[str, Entry | None]:
        """As `fresh`, for several services in one call."""
        now = self._clock.now()  # before it is asked: what is applied meanwhile may not be in the answer
        entries = {record.name: self._entry(record) for record in self._ledger.services(names)}
        found = {name: entries.get(name) for name in names}
        self._recent |= {name: (now, entry) for name, entry in found.items()}
        if len(self._recent) > len(self._entries) + MADE_UP:
            self._recent = {name: one for name, one in dict(self._recent).items() if one[1] is not None}
        return found

    def recent(self, name: str) -> Entry | None:
        """As `fresh`, but up to a second old: for drains, which ask all the time."""
        known = self._known(name, self._clock.now())
        return known[1] if known else self.fresh(name)

    def since(self, name: str, moment: Micros) -> Entry | None:
        """As `recent`, but read after a moment, such as the beginning of a release: a service is often applied right
        before it, and somebody may have asked for it when it was not there yet, or lived elsewhere.
        """
        known = self._known(name, self._clock.now())
        return known[1] if known and known[1] is not None and known[0] > moment else self.fresh(name)

    def renew(self, names: Collection[str]) -> None:
        """Reads what `recent` would soon have to read for these services, in one call."""
        soon = Micros(self._clock.now() + STALE_AFTER // 2)
        old = [name for name in names if not self._known(name, soon)]
        if old:
            self.read(old)

    def _known(self, name: str, now: Micros) -> tuple[Micros, Entry | None] | None:
        known = self._recent.get(name)
        return known if known and 0 <= now - known[0] < STALE_AFTER else None

    def place(self, target: TargetId) -> Place:
        """Where the target lives in its Kubernetes cluster. Raises Refused where its service file does not say."""
        name, _, cluster = target.rpartition("@")
        entry = self.recent(name)
        place = entry.service.workload_in(cluster).place if entry and entry.service else None
        if place is None:
            raise Refused(f"the service file of {name} does not say where it lives in {cluster}: namespace, deployment")
        return place

    def audience(self, target: Target) -> Audience:
        """Who is told of what is decided about this target now."""
        entry = self.recent(target.service)
        service = entry.service if entry else None
        channels = tuple(f"{kind}:{name}" for kind, name in sorted(service.notify.items())) if service else ()
        owners = service.owners if service else ()
        concerned = (one for one in self._subscribers if one.concerned(target.service, owners, target.cluster))
        return Audience(channels, tuple(concerned))

    def context(self, target: Target, fresh_ids: tuple[ReleaseId, ...] = (), *, recent: bool = False) -> Context:
        """What a decision about this target may know now."""
        now = self._clock.now()
        entry = self.recent(target.service) if recent else self.fresh(target.service)
        service = entry.service if entry else None
        rules = service.policy.freeze if service else ()
        freeze, edge = self._frozen(rules, now) if rules else (None, None)
        return Context(now, freeze, edge, self._stop(target, service, now, recent), fresh_ids)

    def _stop(self, target: Target, service: Service | None, now: Micros, recent: bool) -> Stop | None:
        if target.paused is not None:
            by, _, reason = target.paused.partition(": ")
            return Stop(Principal(by), f"the routes are in hand: {reason}", now)
        if target.paused_there is not None:
            return Stop(None, target.paused_there, now)
        if not recent or self._stops is None or not 0 <= now - self._stops[0] < STALE_AFTER:
            self._stops = (now, self._ledger.stops())
        for order in self._stops[1]:
            if _covers(order.scope, target, service):
                return Stop(order.by, order.reason, order.since)
        return None

    def _entry(self, record: ServiceRecord) -> Entry:
        known = self._entries.get(record.name)
        if known is None or known.record.digest != record.digest:
            known = self._entries[record.name] = self._read(record)
        return known

    def _plans(self, service: Service) -> Mapping[str, Plan]:
        """Those of clusters in which it lives otherwise than the file says at first."""
        return {
            cluster: self._compile(replace(service, workload=workload)) for cluster, workload in service.targets.items()
        }

    def _read(self, record: ServiceRecord) -> Entry:
        service = None
        try:
            service = self._parse(record.document)
            return Entry(record, service, self._compile(service), plans=self._plans(service))
        except Unusable as error:
            return Entry(record, error.readable, None, str(error))
        except ValueError as error:  # a file that an older server accepted must not stop the others
            return Entry(record, service, None, str(error))


def _covers(scope: str, target: Target, service: Service | None) -> bool:
    owners = service.owners if service else ()
    return scope in ("*", f"cluster:{target.cluster}", *(f"owner:{owner}" for owner in owners))
