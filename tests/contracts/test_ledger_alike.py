"""Whatever is done to it, the ledger in memory, which the simulation trusts, answers as the one in SQL does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.adapters.ledger.sql.tables import METADATA
from delivery.adapters.ledger.units import parts_of
from delivery.machine.evolve import fold
from delivery.model.ids import HOUR, SECOND, Micros, Principal, ReleaseId, TargetId, target_id
from delivery.ports.history import Filter
from delivery.ports.rows import InboxState, Measuring, OutboxState, Row, StopOrder, Unit, Wake
from delivery.testing.contracts.ledger_values import START, Store, Story, Watch, delivery, measured, outgoing, row
from tests.postgres import new_database

TARGETS = [target_id(service, cluster) for service in ("a", "b") for cluster in ("x", "y")]
OWNERS = st.sampled_from(["w1", "w2"])
TARGET = st.sampled_from(TARGETS)
TIMES = st.sampled_from([None, START, Micros(START + 5), Micros(START - 5), Micros(START + HOUR)])
SPANS = st.sampled_from([1, 5, SECOND, 30 * SECOND, HOUR, -HOUR, -5])
SCOPES = st.sampled_from(["*", "cluster:x", "owner:nobody"])
Act = Callable[["Both"], object]


@dataclass
class Both:
    """The two ledgers, and what a caller remembers between calls, which may be stale."""

    memory: MemoryLedger
    sql: SqlLedger | None
    clock: Watch
    seen: dict[TargetId, Row] = field(default_factory=dict)
    stories: list[Story] = field(default_factory=list)
    measuring: dict[TargetId, Measuring] = field(default_factory=dict)

    def ask(self, question: Callable[[Store], Any]) -> Any:
        answer = question(self.memory)
        if self.sql is not None:
            assert question(self.sql) == answer
        return answer

    def check(self) -> None:
        self.ask(lambda ledger: ledger.rows())
        self.ask(lambda ledger: ledger.page(Filter(), 99))
        self.ask(lambda ledger: ledger.load(TARGETS))
        self.ask(lambda ledger: [ledger.ticks(ReleaseId(f"rel_{number}")) for number in range(3)])
        self.ask(lambda ledger: [ledger.measuring(ReleaseId(f"rel_{number}")) for number in range(3)])
        self.ask(lambda ledger: [ledger.outbox(state, 99) for state in OutboxState])
        self.ask(lambda ledger: [ledger.inbox(state, 99) for state in InboxState])
        self.ask(lambda ledger: (ledger.lateness(["x", "y"]), ledger.stops(), ledger.workers()))


def act(strategy: Any, do: Callable[..., object]) -> st.SearchStrategy[Act]:
    return strategy.map(lambda drawn: lambda both: do(both, *drawn))


def read(both: Both, target: TargetId) -> None:
    both.seen[target] = both.ask(lambda ledger: ledger.load([target])[target].row)


def claim(both: Both, owner: str, clusters: list[str]) -> None:
    both.ask(lambda ledger: ledger.claim(clusters, owner, Micros(20 * SECOND), len(TARGETS)))


def wake(both: Both, target: TargetId, due: Any, owner: str | None, sooner: bool, back: bool, urgent: bool) -> None:
    wish = Wake(due, "woken", urgent=urgent, release_claim=back, sooner=sooner)
    both.ask(lambda ledger: ledger.commit([Unit(target=target, owner=owner, wake=wish)]))


def decide(both: Both, target: TargetId, due: Any, owner: str | None, queued: bool, with_wake: bool) -> None:
    """A commit on what was read once: a new release, or the end of the one that runs there."""
    before = both.seen.get(target, replace(row(*parts_of(target)), version=0))
    story = next((each for each in reversed(both.stories) if each.target == target), None)
    if story is None or story.stored.release.phase.closed:
        story = Story(target, ReleaseId(f"rel_{len(both.stories):02}"), len(both.stories))
        story = story.created() if queued else story.started()
    else:
        story = replace(story, fresh=[]).cancelled()
    unit = Unit(
        target=target,
        expect=before.version,
        owner=owner,
        row=replace(before, target=replace(before.target, active=story.id), due_at=due),
        releases=(story.stored,),
        events=story.taken(),
        outbox=(outgoing(story.id, story.stored.release.seq),),
        wake=Wake(due, "decided", sooner=True) if with_wake else None,
    )
    (answer,) = both.ask(lambda ledger: [each.result for each in ledger.commit([unit])])
    if answer == "done":
        both.stories = [each for each in both.stories if each.id != story.id] + [story]


def tick(both: Both, target: TargetId, owner: str | None, kind: str) -> None:
    before = both.measuring.get(target, Measuring(ReleaseId(f"rel_{TARGETS.index(target)}")))
    after = measured(before, dseq=max(4, before.dseq))
    if kind == "blind":
        after = replace(before, at=Micros(before.at + 1))
    elif kind == "start":
        after = replace(before, dseq=before.dseq + 1, stage=before.stage + 1)
    elif kind == "stale":
        after = measured(Measuring(before.release))
    unit = Unit(target=target, owner=owner, measuring=after, wake=Wake(START, "ticked") if owner else None)
    (answer,) = both.ask(lambda ledger: [each.result for each in ledger.commit([unit])])
    if answer == "done":
        both.measuring[target] = after


def deliver(both: Both, numbers: list[int]) -> None:
    units = [Unit(inbox=(delivery(str(number)),)) for number in numbers]
    both.ask(lambda ledger: ledger.commit(units))


def send(both: Both, owner: str, state: OutboxState, later: int, holder: str | None) -> None:
    rows = both.ask(lambda ledger: ledger.claim_outbox(owner, Micros(20 * SECOND), 2))
    done = [
        replace(each, state=state, due_at=Micros(both.clock.at + later), attempts=each.attempts + 1) for each in rows
    ]
    both.ask(lambda ledger: ledger.update_outbox(done[:1], owner))
    known = both.ask(lambda ledger: [each for state in OutboxState for each in ledger.outbox(state, 99)])
    both.ask(lambda ledger: ledger.update_outbox([replace(each, state=state) for each in known[-2:]], holder))


def fence(both: Both, target: TargetId, owner: str, above: int, stale: bool) -> None:
    version = both.ask(lambda ledger: ledger.load([target])[target].row.version) + stale
    both.ask(lambda ledger: ledger.holds(target, owner, version))
    epoch = both.ask(lambda ledger: ledger.bump_epoch(target, owner, version, above)) or above
    both.ask(lambda ledger: ledger.settle(target, owner, (epoch, ReleaseId("rel_0"), 4), "content", both.clock.at))


def stop(both: Both, scope: str, lift: bool) -> None:
    order = StopOrder(scope, Principal("bob"), "incident", both.clock.at)
    both.ask(lambda ledger: ledger.lift_stop(scope) if lift else ledger.put_stop(order))


def live(both: Both, owner: str) -> None:
    both.ask(lambda ledger: ledger.beat(owner, ""))
    both.ask(lambda ledger: ledger.lease("observer:x", owner, Micros(20 * SECOND)))


def drop(both: Both, kind: str, age: int, most: int) -> None:
    both.ask(lambda ledger: getattr(ledger, f"drop_{kind}")(Micros(both.clock.at - age), most))


def wait(both: Both, span: int) -> None:
    both.clock.pass_by(Micros(span))


MAYBE = st.one_of(st.none(), OWNERS)
FLAG = st.booleans()
NUMBER = st.integers(1, 3)
CLUSTERS = st.sampled_from([["x"], ["y"], ["x", "y"], []])
ACTS = st.one_of(
    act(st.tuples(TARGET), read),
    act(st.tuples(OWNERS, CLUSTERS), claim),
    act(st.tuples(OWNERS, CLUSTERS), claim),
    act(st.tuples(TARGET, TIMES, MAYBE, FLAG, FLAG, FLAG), wake),
    act(st.tuples(TARGET, TIMES, MAYBE, FLAG, FLAG), decide),
    act(st.tuples(TARGET, TIMES, MAYBE, FLAG, FLAG), decide),
    act(st.tuples(TARGET, MAYBE, st.sampled_from(["tick", "tick", "blind", "start", "stale"])), tick),
    act(st.tuples(st.lists(st.integers(0, 5), max_size=4)), deliver),
    act(st.tuples(OWNERS, st.sampled_from(OutboxState), st.sampled_from([-1, 5]), MAYBE), send),
    act(st.tuples(TARGET, OWNERS, st.integers(0, 3), FLAG), fence),
    act(st.tuples(SCOPES, FLAG), stop),
    act(st.tuples(OWNERS), live),
    act(st.tuples(st.sampled_from(["deliveries", "messages", "ticks"]), st.sampled_from([-5, SECOND]), NUMBER), drop),
    act(st.tuples(SPANS), wait),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        with TemporaryDirectory() as folder:
            upgrade(f"sqlite:///{folder}/ledger.db")
            yield f"sqlite:///{folder}/ledger.db"
        return
    with new_database(request.getfixturevalue("postgres_server")) as url:
        upgrade(url)
        yield url


@given(acts=st.lists(ACTS, max_size=40))
@settings(max_examples=30, deadline=None, database=None)
def test_memory_answers_as_sql_does(url: str, acts: list[Act]) -> None:
    clock = Watch()
    sql = SqlLedger(url, fold, clock.now)
    try:
        with sql._database.write() as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(table.delete())
        both = Both(MemoryLedger(clock, fold), sql, clock)
        for target in TARGETS:
            first = row(*parts_of(target))
            assert both.memory.create_target(first)
            assert sql.create_target(first)
        for do in acts:
            do(both)
            both.check()
    finally:
        sql.close()


@given(acts=st.lists(ACTS, max_size=30))
@settings(max_examples=60, deadline=None, database=None)
def test_lost_transactions_leave_what_was_there_before_them(acts: list[Act]) -> None:
    clock = Watch()
    ledger = MemoryLedger(clock, fold, remember=1000)
    both = Both(ledger, None, clock)
    for target in TARGETS:
        ledger.create_target(row(*parts_of(target)))
    made = [(len(ledger._journal._past), tables(ledger))]
    for do in acts:
        do(both)
        made.append((len(ledger._journal._past), tables(ledger)))
    for number, before in reversed(made):
        lost = len(ledger._journal._past) - number
        assert ledger.lose(lost) == lost
        assert tables(ledger) == before


def tables(ledger: MemoryLedger) -> dict[str, dict[Any, Any]]:
    return {each.name: dict(getattr(ledger._tables, each.name)) for each in fields(ledger._tables)}


def test_only_so_many_transactions_are_remembered() -> None:
    ledger = MemoryLedger(Watch(), fold, remember=2)
    for service in "abc":
        ledger.create_target(row(service))
    assert ledger.claim(["nowhere"], "w1", Micros(1), 1) == ()
    assert ledger.lose(5) == 2
    assert [each.target.service for each in ledger.rows()] == ["a"]
    assert ledger.lose(1) == 0
