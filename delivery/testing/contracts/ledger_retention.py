"""Taking away what is old enough, and nothing that somebody still needs."""

from collections.abc import Mapping
from dataclasses import replace

from delivery.model.ids import MINUTE, SECOND, Micros, ReleaseId, TargetId, target_id
from delivery.ports.ledger import Alert, InboxState, Measuring, OutboxState, Segment, Unit
from delivery.ports.retention import Batch
from delivery.testing.contracts.ledger_values import (
    START,
    LedgerWorld,
    Store,
    Story,
    begin,
    committed,
    created,
    delivery,
    measured,
    outgoing,
    row,
)

T = target_id("checkout", "local")
LATER = Micros(START + MINUTE)


class Retentions:
    def test_old_deliveries_go_but_those_that_wait_for_somebody(self, world: LedgerWorld) -> None:
        states = ("a", InboxState.DONE), ("b", InboxState.DISCARDED), ("c", InboxState.DEAD), ("d", InboxState.PENDING)
        for key, state in states:
            committed(world.ledger, Unit(inbox=(replace(delivery(key), state=state),)))
        committed(world.ledger, Unit(inbox=(delivery("new", at=LATER),)))
        assert world.ledger.drop_deliveries(START, 9) == Batch(0, more=False)
        assert world.ledger.drop_deliveries(LATER, 9) == Batch(2, more=False)
        left = {one.key for state in InboxState for one in world.other.inbox(state, 9)}
        assert left == {"c", "d", "new"}

    def test_no_batch_is_larger_than_was_asked_for(self, world: LedgerWorld) -> None:
        for number in range(5):
            committed(world.ledger, Unit(inbox=(delivery(str(number), at=Micros(START + number)),)))
        assert world.ledger.drop_deliveries(LATER, 2) == Batch(2, more=True)
        assert [one.key for one in world.other.inbox(InboxState.DONE, 9)] == ["2", "3", "4"]
        assert world.ledger.drop_deliveries(LATER, 3) == Batch(3, more=True)
        assert world.ledger.drop_deliveries(LATER, 3) == Batch(0, more=False)

    def test_old_messages_go_but_those_that_wait_for_somebody(self, world: LedgerWorld) -> None:
        rows = [replace(outgoing(ReleaseId("rel_01"), seq), state=state) for seq, state in enumerate(OutboxState)]
        committed(world.ledger, Unit(outbox=tuple(rows)))
        assert world.ledger.drop_messages(START, 9) == Batch(0, more=False)
        assert world.ledger.drop_messages(LATER, 1) == Batch(1, more=True)
        assert world.ledger.drop_messages(LATER, 9) == Batch(1, more=False)
        left = [one.state for state in OutboxState for one in world.other.outbox(state, 9)]
        assert left == [OutboxState.WAITING, OutboxState.DEAD]

    def test_old_alerts_go_the_oldest_first(self, world: LedgerWorld) -> None:
        for number in range(3):
            committed(world.ledger, Unit(alerts=(Alert(Micros(START + number), "test", str(number), ""),)))
        assert world.ledger.drop_alerts(Micros(START + 2), 1) == Batch(1, more=True)
        assert world.ledger.drop_alerts(Micros(START + 2), 9) == Batch(1, more=False)
        assert [one.subject for one in world.other.alerts(9)] == ["2"]
        committed(world.ledger, Unit(alerts=(Alert(LATER, "test", "after", ""),)))
        assert [one.subject for one in world.other.alerts(9)] == ["after", "2"]

    def test_what_was_measured_goes_but_the_last_state_of_a_targets_gates(self, world: LedgerWorld) -> None:
        before = published(world.ledger, T, 3)
        assert world.ledger.drop_ticks(START, 9) == Batch(0, more=False)
        assert world.ledger.drop_ticks(LATER, 9) == Batch(5, more=False)  # three segments, two measurements
        assert [world.other.measuring(one) for one in list(before)[:2]] == [None, None]
        assert world.other.measuring(rel(3)) == replace(before[rel(3)], ticks=())
        assert [world.other.ticks(one) for one in before] == [(), (), ()]
        upcoming = Story(T, rel(9), 9).started()
        assert world.other.gates_before(upcoming.stored.release) == before[rel(3)].gates
        assert world.ledger.drop_ticks(LATER, 9) == Batch(0, more=False)

    def test_the_last_state_goes_when_a_newer_one_is_over(self, world: LedgerWorld) -> None:
        published(world.ledger, T, 1)
        world.ledger.drop_ticks(LATER, 9)
        after = published(world.ledger, T, 1, first=2, at=LATER)
        assert world.ledger.drop_ticks(LATER, 9) == Batch(0, more=False)
        assert world.ledger.drop_ticks(Micros(LATER + MINUTE), 9) == Batch(2, more=False)
        assert world.other.measuring(rel(1)) is None
        assert world.other.measuring(rel(2)) == replace(after[rel(2)], ticks=())

    def test_what_an_open_release_measures_stays_and_what_it_began_with(self, world: LedgerWorld) -> None:
        before = published(world.ledger, T, 1)
        opened = Story(T, rel(2), 2).started()
        begin(world.ledger, opened)
        live = measured(Measuring(rel(2)))
        committed(world.ledger, Unit(measuring=live, segments=(Segment(rel(2), 1, live.ticks, "hash"),)))
        world.ledger.drop_ticks(Micros(LATER + 1000 * MINUTE), 9)
        assert world.other.measuring(rel(2)) == live
        assert world.other.ticks(rel(2)) == live.ticks + live.ticks
        assert world.other.gates_before(opened.stored.release) == before[rel(1)].gates

    def test_releases_are_gone_through_a_few_at_a_time_whatever_was_measured(self, world: LedgerWorld) -> None:
        other = target_id("cart", "local")
        published(world.ledger, T, 2)
        created(world.ledger, row("cart"))
        for number in (3, 4):
            begin(
                world.ledger,
                Story(other, rel(number), number, at=Micros(START + number * SECOND)).created().cancelled(),
            )
        published(world.ledger, other, 1, first=5)
        seen = [world.ledger.drop_ticks(LATER, 1) for _ in range(6)]
        assert seen == [Batch(2, True), Batch(1, True), Batch(0, True), Batch(0, True), Batch(1, True), Batch(0, False)]
        assert [world.other.ticks(rel(number)) for number in range(1, 6)] == [()] * 5


def rel(number: int) -> ReleaseId:
    return ReleaseId(f"rel_{number:02}")


def published(
    ledger: Store, target: TargetId, many: int, first: int = 1, at: Micros = START
) -> Mapping[ReleaseId, Measuring]:
    """So many releases, one after the other, each with a tick in a segment and one that is in none; all are over."""
    if not ledger.load([target]):
        created(ledger, row(target.partition("@")[0]))
    found = {}
    for number in range(first, first + many):
        begin(ledger, Story(target, rel(number), number, at=Micros(at + number * SECOND)).created().cancelled())
        one = measured(Measuring(rel(number)))
        two = replace(measured(one), ticks=measured(one).ticks[1:])
        segment = Segment(rel(number), 1, one.ticks, "hash")
        committed(ledger, Unit(measuring=one), Unit(measuring=two, segments=(segment,)))
        found[rel(number)] = two
    return found
