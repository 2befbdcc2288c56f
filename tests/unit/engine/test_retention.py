"""What is old goes a little at a time, by one worker at a time; what was admitted once stays admitted."""

from dataclasses import dataclass, field

import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.engine.answer import Answer, Arrival
from delivery.engine.retention import LEASE, ROWS, SHORT, Keeper, Terms
from delivery.machine.evolve import fold
from delivery.model.ids import HOUR, SECOND, Micros, Principal, ReleaseId, target_id
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.record import Entry, RecordKind
from delivery.model.version import VersionRef
from delivery.ports.history import Filter
from delivery.ports.retention import Batch
from delivery.ports.rows import InboxState, Unit
from delivery.ports.telemetry import Work
from delivery.testing.contracts.ledger_values import Story, Watch, begin, created, delivery, row
from tests.simulation.world import World

DAY = Micros(24 * HOUR)
FIRST = ROWS // 10
FOR_EVER = Micros(10_000 * DAY)


@dataclass
class Heard:
    """Telemetry that is read."""

    tracing = False
    rows: dict[str, float] = field(default_factory=dict)
    logged: list[dict[str, object]] = field(default_factory=list)

    def count(self, metric: str, amount: float = 1, **labels: str) -> None:
        assert metric == "retention_rows"
        self.rows[labels["kind"]] = self.rows.get(labels["kind"], 0) + amount

    def observe(self, metric: str, value: float, **labels: str) -> None:
        assert metric == "retention_seconds"

    def log(self, event: str, **fields: object) -> None:
        assert event == "retention"
        self.logged.append(fields)

    def trace(self, within: str, work: Work) -> None:
        raise AssertionError(work)


@pytest.fixture
def world() -> World:
    return World(0, ("queueing",))


def keeper(world: World, terms: Terms, owner: str = "one", heard: Heard | None = None) -> Keeper:
    return Keeper(world.ledger, world.ledger, terms, world.clock, heard or Heard(), owner)


def came(world: World, many: int) -> None:
    now = world.clock.now()
    world.ledger.commit([Unit(inbox=tuple(delivery(f"{now}-{number}", at=now) for number in range(many)))])


def test_batches_are_bounded_and_told_when_all_is_gone(world: World) -> None:
    heard = Heard()
    came(world, 3 * FIRST)
    world.clock.step(8 * DAY)
    came(world, 1)
    tidy = keeper(world, Terms(inbox=Micros(7 * DAY)), heard=heard)
    assert tidy.run(1.0) == 1
    assert heard.rows == {"inbox": FIRST}
    assert heard.logged == []
    assert tidy.run(1.0) == 1
    assert tidy.run(1.0) == 0
    assert heard.rows == {"inbox": 3 * FIRST}
    assert [(one["kind"], one["rows"]) for one in heard.logged] == [("inbox", 3 * FIRST)]
    assert len(world.ledger.inbox(InboxState.DONE, 9)) == 1
    assert tidy.run(1.0) == 0
    assert len(heard.logged) == 1


def test_a_batch_that_takes_long_is_followed_by_smaller_ones() -> None:
    clock, asked = Watch(), list[int]()
    takes = [SHORT * 2, SHORT * 2, SHORT * 0.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]

    class Slow(MemoryLedger):
        def drop_deliveries(self, before: Micros, most: int) -> Batch:
            asked.append(most)
            clock.pause(takes[len(asked) - 1])
            return Batch(most, more=True)

    ledger = Slow(clock, fold)
    tidy = Keeper(ledger, ledger, Terms(inbox=Micros(7 * DAY)), clock, Heard(), "one")
    for _ in takes:
        tidy.run(1.0)
    assert asked == [50, 25, 12, 12, 24, 48, 96, 192, 384, ROWS]


def test_what_is_kept_for_ever_is_not_even_looked_for(world: World) -> None:
    came(world, 1)
    world.clock.step(FOR_EVER)
    assert keeper(world, Terms()).run(1.0) == 0
    assert len(world.ledger.inbox(InboxState.DONE, 9)) == 1


def test_one_worker_at_a_time(world: World) -> None:
    terms = Terms(inbox=Micros(7 * DAY))
    came(world, 2 * FIRST + 1)
    world.clock.step(8 * DAY)
    assert keeper(world, terms).run(1.0) == 1
    assert keeper(world, terms, "two").run(1.0) == 0
    assert len(world.ledger.inbox(InboxState.DONE, 3 * FIRST)) == FIRST + 1
    world.clock.step(LEASE + SECOND)
    assert keeper(world, terms, "two").run(1.0) == 1


def test_nothing_is_begun_when_the_time_is_over(world: World) -> None:
    came(world, 1)
    world.clock.step(8 * DAY)
    assert keeper(world, Terms(inbox=Micros(7 * DAY))).run(-1.0) == 1
    assert len(world.ledger.inbox(InboxState.DONE, 9)) == 1


def test_no_release_goes_that_was_to_be_exported_first() -> None:
    clock, terms = Watch(), Terms(events=Micros(30 * DAY), export_first=True)
    ledger = MemoryLedger(clock, fold)
    ends = over(ledger, clock, 3)
    clock.pass_by(Micros(31 * DAY))
    tidy = Keeper(ledger, ledger, terms, clock, Heard(), "one")
    assert tidy.run(1.0) == 0
    assert len(ledger.page(Filter(states=("closed",)), 9)) == 3
    ledger.record(Entry(RecordKind.EXPORTED, {"until": ends[1]}))
    assert tidy.run(1.0) == 0
    assert [one.release.finished_at for one in ledger.page(Filter(states=("closed",)), 9)] == [ends[2], ends[1]]


def over(ledger: MemoryLedger, clock: Watch, many: int) -> list[Micros]:
    """So many releases that are over, and one that runs; when each ended."""
    target = target_id("checkout", "local")
    created(ledger, row())
    ends = []
    for number in range(many):
        clock.pass_by(SECOND)
        ends.append(clock.now())
        begin(ledger, Story(target, ReleaseId(f"rel_{number}"), number, at=ends[-1]).created().cancelled())
    begin(ledger, Story(target, ReleaseId("rel_9"), 9, at=clock.now()).started())
    return ends


BY_CI = ReleaseRequested("queueing", VersionRef.of("good-1"), Principal("ci"))


def test_a_delivery_that_comes_again_when_its_row_is_gone_changes_nothing(world: World) -> None:
    sent = Micros(world.clock.now())
    arrival = Arrival(Notice("github", "key", "digest", BY_CI, time=sent), b"{}")
    (first,) = accepted(world, arrival)
    assert first.outcome == "release"
    world.clock.step(91 * DAY)
    assert keeper(world, Terms(inbox=Micros(90 * DAY))).run(1.0) == 0
    assert world.ledger.inbox(InboxState.DONE, 9) == ()
    rows = world.ledger.rows("queueing")
    (again,) = accepted(world, arrival)
    assert again.outcome == "no_op"
    assert [row.target for row in world.ledger.rows("queueing")] == [row.target for row in rows]


def accepted(world: World, arrival: Arrival) -> tuple[Answer, ...]:
    return tuple(world.inbox().accept([arrival]))
