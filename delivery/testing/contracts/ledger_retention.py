"""Taking away what is old enough, and nothing that somebody still needs."""

from collections.abc import Mapping
from dataclasses import replace

from delivery.model.codec import GENESIS
from delivery.model.event import Promoted
from delivery.model.ids import MINUTE, SECOND, Micros, ReleaseId, TargetId, target_id
from delivery.model.record import Entry, RecordKind
from delivery.model.target import Retiring
from delivery.ports.history import Filter
from delivery.ports.retention import Batch
from delivery.ports.rows import Alert, InboxState, Measuring, OutboxState, Segment, Unit
from delivery.testing.contracts.ledger_values import (
    STABLE,
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
    stored_row,
    unit,
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


class Droppings:
    def test_a_release_goes_with_all_of_its_own_and_a_record_stays(self, world: LedgerWorld) -> None:
        published(world.ledger, T, 3)
        heads = {one.release: one for one in world.ledger.ended(START, LATER, 9)}
        sent = replace(outgoing(rel(1), 1), state=OutboxState.SENT)
        committed(world.ledger, Unit(outbox=(sent,)))
        world.ledger.note_posted(rel(1), "slack:#a", "1.2")
        assert world.ledger.drop_releases(START, 9) == Batch(0, more=False)
        assert world.ledger.drop_releases(LATER, 9) == Batch(2, more=False)
        assert [one.release.id for one in world.other.page(Filter(), 9)] == [rel(3)]
        for number in (1, 2):
            assert world.other.events(rel(number)) == ()
            assert world.other.releases([rel(number)]) == {}
            assert (world.other.measuring(rel(number)), world.other.ticks(rel(number))) == (None, ())
        assert world.other.posted(rel(1), "slack:#a") is None
        assert world.other.outbox(OutboxState.SENT, 9) == ()
        records = world.other.records()
        assert [(one.n, one.kind, one.subject) for one in records] == [
            (1, RecordKind.DROPPED, rel(1)),
            (2, RecordKind.DROPPED, rel(2)),
        ]
        for one in records:
            before = heads[ReleaseId(one.subject)]
            assert (one.data["head"], one.data["events"]) == (before.head, before.events)
            assert one.data["target"] == T
        assert world.ledger.last_record(RecordKind.DROPPED, rel(2)) == records[1]
        assert world.ledger.last_record(RecordKind.DROPPED, rel(3)) is None

    def test_releases_that_are_still_needed_stay(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        rollback, promoted, failed = (Story(T, rel(n), n, at=Micros(START + n)).started() for n in (1, 2, 3))
        begin(world.ledger, rollback.promoting().then(Promoted(at=START)))
        begin(world.ledger, promoted.promoting().then(Promoted(at=START)))
        begin(world.ledger, failed.cancelled())
        waits = Story(T, rel(4), 4, at=Micros(START + 4)).created().cancelled()
        begin(world.ledger, waits)
        committed(world.ledger, Unit(outbox=(replace(outgoing(rel(4), 1), state=OutboxState.DEAD),)))
        for number in (5, 6):
            begin(world.ledger, Story(T, rel(number), number, at=Micros(START + number)).created().cancelled())
        before = stored_row(world.ledger, T)
        retiring = (Retiring(STABLE, LATER, kept_for=(rel(1), 9)),)
        opened = Story(T, rel(7), 7).started()
        committed(world.ledger, unit(before, opened, active=rel(7), last=rel(5), retiring=retiring))
        assert world.ledger.drop_releases(Micros(LATER + 1000 * MINUTE), 9) == Batch(2, more=False)
        left = [one.release.id for one in world.other.page(Filter(), 9)]
        assert left == [rel(7), rel(5), rel(4), rel(2), rel(1)]

    def test_what_was_needed_goes_when_a_later_one_is_gone_through(self, world: LedgerWorld) -> None:
        published(world.ledger, T, 1)
        assert world.ledger.drop_releases(LATER, 9) == Batch(0, more=False)
        published(world.ledger, T, 2, first=2, at=LATER)
        assert world.ledger.drop_releases(Micros(LATER + MINUTE), 1) == Batch(2, more=True)
        assert world.ledger.drop_releases(Micros(LATER + MINUTE), 9) == Batch(0, more=False)
        assert [one.release.id for one in world.other.page(Filter(), 9)] == [rel(3)]

    def test_what_ended_is_listed_in_the_order_of_its_end(self, world: LedgerWorld) -> None:
        published(world.ledger, T, 3)
        assert [one.release for one in world.other.ended(START, LATER, 2)] == [rel(1), rel(2)]
        (last,) = world.other.ended(START, LATER, 2, (Micros(START + 2 * SECOND), rel(2)))
        stored = world.other.release(rel(3))
        assert stored is not None
        assert (last.release, last.target, last.number, last.phase) == (rel(3), T, 3, "cancelled")
        assert (last.events, last.head) == (stored.release.seq, stored.head)
        assert world.other.ended(Micros(START + 2 * SECOND), Micros(START + 3 * SECOND), 9) == (
            *world.other.ended(START, LATER, 1, (Micros(START + SECOND), rel(1))),
        )

    def test_records_are_a_chain_and_say_who(self, world: LedgerWorld) -> None:
        one = world.ledger.record(Entry(RecordKind.EXPORTED, {"until": 7}, by="ann", salt="salt"))
        world.clock.pass_by(MINUTE)
        two = world.other.record(Entry(RecordKind.EXPORTED, {"until": 8}))
        assert world.ledger.records() == (one, two)
        assert world.ledger.records(after=1) == (two,)
        assert world.ledger.records(limit=1) == (one,)
        assert (one.n, one.prev, one.by, one.at) == (1, GENESIS, "ann", START)
        assert (two.n, two.prev, two.by, two.at) == (2, one.hash, "", LATER)
        assert b"ann" not in one.body
        assert world.ledger.last_record(RecordKind.EXPORTED) == two
