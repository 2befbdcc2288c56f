"""Small histories and rows for the ledger's contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from delivery.machine.evolve import evolve
from delivery.model.codec import GENESIS, StoredEvent, digest, link, seal
from delivery.model.event import (
    CandidateReady,
    Cause,
    CauseKind,
    Closed,
    Created,
    Event,
    Phase,
    PromotionBegun,
    Started,
)
from delivery.model.ids import MINUTE, SECOND, GateId, Micros, Principal, ReleaseId, TargetId, target_id
from delivery.model.plan import GateSpec, Plan, Stage
from delivery.model.release import Release
from delivery.model.target import Target
from delivery.model.traffic import Traffic
from delivery.model.verdict import Counts, Earlier, Tick, UnreadSide
from delivery.model.version import VersionRef
from delivery.ports.access import Access
from delivery.ports.erasure import Erasure
from delivery.ports.history import History
from delivery.ports.ledger import Ledger
from delivery.ports.retention import Retention
from delivery.ports.rows import (
    Delivery,
    InboxState,
    Measuring,
    Outgoing,
    Result,
    Row,
    ServiceRecord,
    StoredRelease,
    Unit,
    Wake,
)

START = Micros(1_795_514_531_000_000)  # 2026-11-24 10:02:11 UTC
LEASE = Micros(20 * SECOND)
STABLE = VersionRef("1.4.1", "sha256:77a")
ALICE = Principal("alice")
FIRST = ReleaseId("rel_01")
GATE = GateSpec(GateId("errors"), "ratio", {"worse_than": 1.1, "template": "http_errors"})
PLAN = Plan(
    stages=tuple(
        Stage(f"canary {weight}%", "canary", Traffic(weight), Micros(5 * MINUTE), Micros(15 * MINUTE), (GATE.id,))
        for weight in (5, 50)
    ),
    gates=(GATE,),
)


class Store(Ledger, History, Access, Retention, Erasure, Protocol):
    """All ports over the same rows."""


@dataclass
class Watch:
    """A clock that stands still until a test moves it."""

    at: Micros = START

    def now(self) -> Micros:
        return self.at

    def monotonic(self) -> float:
        return self.at / SECOND

    def pause(self, seconds: float) -> None:
        self.pass_by(Micros(round(seconds * SECOND)))

    def pass_by(self, span: Micros) -> None:
        self.at = Micros(self.at + span)


class LedgerWorld(Protocol):
    """An empty ledger that goes by `clock`. `other` is the same ledger, as another process has it."""

    ledger: Store
    other: Store
    clock: Watch


@dataclass
class Story:
    """A release that grows, with the events that are not committed yet."""

    target: TargetId
    id: ReleaseId = FIRST
    number: int = 1
    version: str = "1.4.2"
    actor: Principal = ALICE
    at: Micros = START
    release: Release | None = None
    head: str = GENESIS
    fresh: list[StoredEvent] = field(default_factory=list)
    salted: bool = True

    def created(self) -> "Story":
        return self.then(
            Created(
                at=self.at,
                release=self.id,
                number=self.number,
                target=self.target,
                candidate=VersionRef(self.version, f"sha256:{self.version}"),
                actor=self.actor,
                plan=PLAN,
                plan_digest=digest(PLAN),
                origin={"run_url": "https://ci.example/1"},
            )
        )

    def starts(self) -> "Story":
        return self.then(Started(at=self.at, stable=STABLE), CandidateReady(at=self.at))

    def started(self) -> "Story":
        return self.created().starts()

    def promoting(self) -> "Story":
        return self.then(PromotionBegun(at=self.at, cause=Cause(CauseKind.COMPLETED)))

    def cancelled(self, reason: str = "") -> "Story":
        cause = Cause(CauseKind.ABORTED, actor=self.actor, reason=reason)
        return self.then(Closed(at=self.at, phase=Phase.CANCELLED, cause=cause))

    def then(self, *events: Event) -> "Story":
        for event in events:
            self.release = evolve(self.release, event)
            stored = seal(
                self.id, self.release.seq, self.head, event, f"salt {self.release.seq}" if self.salted else ""
            )
            self.fresh.append(stored)
            self.head = stored.hash
        return self

    @property
    def stored(self) -> StoredRelease:
        assert self.release is not None
        return StoredRelease(self.release, self.head)

    def taken(self) -> tuple[StoredEvent, ...]:
        """The events since it was last asked."""
        events, self.fresh = tuple(self.fresh), []
        return events


def target(service: str = "checkout", cluster: str = "local") -> Target:
    return Target(target_id(service, cluster), service, cluster, stable=STABLE)


def row(
    service: str = "checkout", cluster: str = "local", due_at: Micros | None = START, *, urgent: bool = False
) -> Row:
    return Row(target(service, cluster), due_at=due_at, due_why="a test", urgent=urgent)


def created(ledger: Store, *rows: Row) -> None:
    for each in rows:
        assert ledger.create_target(each)


def stored_row(ledger: Ledger, target: TargetId) -> Row:
    return ledger.load([target])[target].row


def begin(ledger: Store, story: Story, *, queued: bool = False) -> None:
    """Commits the story's new release to its target."""
    before = stored_row(ledger, story.target)
    place = {"queue": (*before.target.queue, story.id)} if queued else {"active": story.id, "last": story.id}
    committed(ledger, unit(before, story, **place))


def unit(before: Row, *stories: Story, wake: Wake | None = None, **changes: object) -> Unit:
    """The stories' new events, with the target changed."""
    after = replace(before, target=replace(before.target, **changes))  # type: ignore[arg-type]
    return Unit(
        target=before.target.id,
        expect=before.version,
        row=after,
        releases=tuple(story.stored for story in stories),
        events=tuple(event for story in stories for event in story.taken()),
        wake=wake,
    )


def committed(ledger: Ledger, *units: Unit) -> None:
    results = ledger.commit(units)
    assert [result.result for result in results] == [Result.DONE] * len(units), results


def outcome(ledger: Ledger, *units: Unit) -> list[Result]:
    return [result.result for result in ledger.commit(units)]


def delivery(key: str, source: str = "https://github.com/acme/checkout", at: Micros = START) -> Delivery:
    return Delivery(
        source,
        key,
        digest(key),
        at,
        b'{"id": "\xc3\xa9"}',
        InboxState.DONE,
        outcome="no_op",
        reason="runs already",
        answer={"outcome": "no_op", "release": {"id": None, "list": [1, 2.5]}},
    )


def outgoing(release: ReleaseId, seq: int, channel: str = "slack:#releases", due_at: Micros = START) -> Outgoing:
    return Outgoing(f"{release}:{seq}:{channel}", channel, release, seq, "promoted", due_at, call=seq == 1)


def service(name: str, revision: int = 1, owners: tuple[str, ...] = ()) -> ServiceRecord:
    document: Mapping[str, object] = {
        "service": name,
        "owners": list(owners),
        "bake": 1.5,
        "nested": {"b": None, "a": [1]},
    }
    return ServiceRecord(name, document, digest(document), revision, START, ALICE)


def counts(requests: int) -> Counts:
    return Counts(requests, requests // 100, ((250, requests // 10), (500, requests // 50)))


def told(plain: Counts) -> Counts:
    """With all that a tick has only now and then."""
    rates, gauges = (("conversion", 3, 40),), (("cpu", 0.5), ("queue", 12.0))
    sources, lacks = (("pod-a", 60, 1), ("pod-b", 50, 1)), (("paid", "its query `of` gives nothing"),)
    return replace(plain, sources=sources, rates=rates, gauges=gauges, lacks=lacks)


def measured(before: Measuring, dseq: int = 4) -> Measuring:
    """One tick later."""
    number = before.tick + 1
    sides = (counts(120), counts(2400)) if number % 3 else (told(counts(120)), told(counts(2400)))
    down = True if number % 5 == 0 else None
    unread = (UnreadSide("stable", "partial", "answers only in part"),) if number % 4 == 0 else None
    earlier = Earlier(counts(90), before.at) if number % 7 == 0 else None
    copy = counts(110) if number % 6 == 0 else None
    end, complete = Micros(before.at + SECOND), number % 2 == 1
    tick = Tick(number, 0, dseq, before.at, end, *sides, complete, down, unread, earlier, copy)
    return replace(
        before,
        stage=0,
        dseq=dseq,
        tick=number,
        at=tick.end,
        baked=Micros(before.baked + SECOND),
        requests=before.requests + 120,
        first_tick=1,
        base={"candidate": {"proxy": [number, 0, "boot-1", [[250, 3]]]}},
        gates={"errors": {"log_likelihood": -0.1 * number, "seen": [number, None, True]}},
        ticks=(*before.ticks, tick),
        evidence=link(before.evidence, str(number).encode()),
        totals=(counts(120 * number), counts(2400 * number)),
    )
