"""What every adapter of the ports Ledger, History and Access must do.

An adapter's test inherits from `LedgerContract` and has a fixture `world`: an empty LedgerWorld.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from delivery.model.event import Phase
from delivery.model.ids import SECOND, Micros, ReleaseId, TargetId, target_id
from delivery.ports.rows import Alert, Measuring, Result, Segment, StoredRelease, Unit, Wake
from delivery.testing.contracts.access import Sessions, Tokens
from delivery.testing.contracts.ledger_claims import Claims, Fences
from delivery.testing.contracts.ledger_erasure import Erasures
from delivery.testing.contracts.ledger_history import Histories
from delivery.testing.contracts.ledger_queues import Orders, Queues
from delivery.testing.contracts.ledger_retention import Droppings, Retentions
from delivery.testing.contracts.ledger_values import (
    START,
    LedgerWorld,
    Story,
    begin,
    committed,
    created,
    delivery,
    measured,
    outcome,
    outgoing,
    row,
    stored_row,
    target,
    unit,
)

T = target_id("checkout", "local")
R1, R2, R3 = ReleaseId("rel_01"), ReleaseId("rel_02"), ReleaseId("rel_03")


class Rows:
    def test_a_target_is_created_once(self, world: LedgerWorld) -> None:
        first = replace(row(), failures=2, settled=(3, R1, 9), content="c", epoch=3, writer="w", written_at=START)
        assert world.ledger.create_target(first)
        assert not world.other.create_target(row())
        assert stored_row(world.ledger, T) == first

    def test_targets_of_a_service_and_of_no_other(self, world: LedgerWorld) -> None:
        created(world.ledger, row("checkout", "b"), row("checkout", "a"), row("checkout-2", "a"))
        assert world.ledger.targets("checkout") == (target_id("checkout", "a"), target_id("checkout", "b"))
        assert world.ledger.targets("check") == ()

    def test_a_snapshot_has_the_active_queued_and_last_releases_and_what_is_measured(self, world: LedgerWorld) -> None:
        created(world.ledger, row(), row("other"))
        old, new, waits = Story(T, R1).created().cancelled(), Story(T, R2, 2).started(), Story(T, R3, 3).created()
        begin(world.ledger, old)
        committed(
            world.ledger, unit(stored_row(world.ledger, T), new, waits, active=R2, queue=(R3,), last=R1, number=3)
        )
        before = measured(Measuring(R2))
        committed(world.ledger, Unit(measuring=before))
        snapshot = world.other.load([T])[T]
        assert snapshot.releases == {R1: old.stored, R2: new.stored, R3: waits.stored}
        assert snapshot.measuring == before
        assert snapshot.row.target == replace(target(), active=R2, queue=(R3,), last=R1, number=3)

    def test_what_does_not_exist_is_left_out(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        assert set(world.ledger.load([T, TargetId("nobody@local")])) == {T}
        assert world.ledger.load([T])[T].measuring is None
        assert world.ledger.load([]) == {}
        assert world.ledger.releases([]) == {}
        assert world.ledger.releases([R1]) == {}

    def test_any_release_by_id(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story = Story(T, R1).created().cancelled()
        begin(world.ledger, story)
        assert world.other.releases([R1, R2]) == {R1: story.stored}


class Commits:
    def test_a_unit_is_whole_or_not_at_all(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        before = stored_row(world.ledger, T)
        story = Story(T, R1).started()
        everything = replace(
            unit(before, story, wake=Wake(Micros(START + 9), "bakes", urgent=True), active=R1, number=1),
            outbox=(outgoing(R1, 1),),
            inbox=(delivery("a"),),
            measuring=measured(Measuring(R1)),
            segments=(Segment(R1, 1, (), "h"),),
            alerts=(Alert(START, "quarantine", T, "KeyError"),),
        )
        assert outcome(world.ledger, replace(everything, expect=5)) == [Result.CONFLICT]
        assert outcome(world.ledger, replace(everything, owner="w1")) == [Result.CONFLICT]
        assert world.ledger.load([T])[T] == world.other.load([T])[T]
        assert stored_row(world.ledger, T) == before
        assert (world.ledger.releases([R1]), world.ledger.events(R1), world.ledger.alerts(9)) == ({}, (), ())
        assert world.ledger.deliveries([(delivery("a").source, "a")]) == {}
        assert (world.ledger.claim_outbox("o", SECOND, 9), world.ledger.measuring(R1)) == ((), None)
        committed(world.ledger, everything)
        after = replace(before, target=replace(before.target, active=R1, number=1), version=1)
        assert stored_row(world.other, T) == replace(after, due_at=Micros(START + 9), due_why="bakes", urgent=True)
        assert world.other.events(R1) == everything.events
        assert world.other.deliveries([(delivery("a").source, "a")])[delivery("a").source, "a"] == delivery("a")
        assert world.other.claim_outbox("o", SECOND, 9) == everything.outbox
        assert (world.other.measuring(R1), world.other.alerts(9)) == (everything.measuring, everything.alerts)

    def test_a_no_op_leaves_the_version_alone(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        before = stored_row(world.ledger, T)
        committed(world.ledger, *(Unit(target=T, inbox=(delivery(str(number)),)) for number in range(50)))
        assert stored_row(world.ledger, T) == before
        committed(world.ledger, Unit(target=T, expect=0, row=before))

    def test_what_is_expected_is_checked_without_a_row_too(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        committed(world.ledger, Unit(target=T, expect=0, measuring=Measuring(R1)))
        assert outcome(world.ledger, Unit(target=T, expect=1, measuring=Measuring(R2))) == [Result.CONFLICT]
        assert outcome(world.ledger, Unit(target=T, owner="w1", wake=Wake(None, ""))) == [Result.CONFLICT]
        assert outcome(world.ledger, Unit(target=TargetId("nobody@local"), wake=Wake(None, ""))) == [Result.CONFLICT]
        assert world.ledger.measuring(R2) is None

    def test_units_of_one_target_follow_each_other_in_a_batch(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story, before = Story(T, R1).created(), stored_row(world.ledger, T)
        first = unit(before, story, queue=(R1,), number=1)
        second = unit(replace(before, target=replace(before.target, number=1), version=1), story.cancelled(), queue=())
        late = Unit(target=T, expect=1, row=before)
        assert outcome(world.ledger, first, second, late) == [Result.DONE, Result.DONE, Result.CONFLICT]
        after = stored_row(world.ledger, T)
        assert (after.version, after.target.queue, world.ledger.releases([R1])[R1]) == (2, (), story.stored)

    def test_commits_at_the_same_time_lose_nothing(self, world: LedgerWorld) -> None:
        created(world.ledger, row())

        def raise_number(worker: int) -> int:
            ledger = (world.ledger, world.other)[worker % 2]
            in_time = 0
            for _ in range(25):
                before = stored_row(ledger, T)
                after = unit(before, number=before.target.number + 1)
                in_time += outcome(ledger, after) == [Result.DONE]
            return in_time

        with ThreadPoolExecutor(4) as pool:
            done = sum(pool.map(raise_number, range(4)))
        after = stored_row(world.ledger, T)
        assert after.version == after.target.number == done >= 25

    def test_a_delivery_is_admitted_once(self, world: LedgerWorld) -> None:
        created(world.ledger, row(), row("other"))
        again = replace(delivery("a"), reason="another answer")
        first = Unit(target=T, inbox=(delivery("a"),), wake=Wake(None, "first"))
        second = Unit(target=target_id("other", "local"), inbox=(again,), wake=Wake(None, "second"))
        assert outcome(world.ledger, first, second) == [Result.DONE, Result.CONFLICT]
        assert outcome(world.other, second) == [Result.CONFLICT]
        assert world.ledger.deliveries([(again.source, "a")]) == {(again.source, "a"): delivery("a")}
        assert stored_row(world.ledger, target_id("other", "local")).due_why == "a test"
        committed(world.ledger, Unit(inbox=(replace(delivery("a"), source="another source"),)))

    def test_one_that_conflicts_and_one_that_is_refused_spoil_no_other_of_fifty(self, world: LedgerWorld) -> None:
        names = [f"s{number:02}" for number in range(50)]
        created(world.ledger, *(row(name) for name in names))
        targets = [target_id(name, "local") for name in names]
        first = Story(targets[7], ReleaseId("rel_first")).started()
        begin(world.ledger, first)
        units = []
        for number, each in enumerate(targets):
            story = Story(each, ReleaseId(f"rel_{number:02}")).started()
            units.append(unit(stored_row(world.ledger, each), story, active=story.id))
        units[31] = replace(units[31], expect=9)
        results = outcome(world.ledger, *units)
        assert (results.pop(31), results.pop(7)) == (Result.CONFLICT, Result.POISON)
        assert results == [Result.DONE] * 48
        kept = world.other.releases([ReleaseId(f"rel_{number:02}") for number in range(50)])
        assert set(kept) == {ReleaseId(f"rel_{number:02}") for number in range(50) if number not in (7, 31)}
        assert stored_row(world.ledger, targets[7]).target.active == first.id
        assert stored_row(world.ledger, targets[31]).version == 0

    def test_a_target_has_one_running_release(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        first, second = Story(T, R1).started(), Story(T, R2, 2).created()
        begin(world.ledger, first)
        begin(world.ledger, second, queued=True)
        before = stored_row(world.ledger, T)
        third = Story(T, R3, 3).started()
        refused = world.ledger.commit([unit(before, third, active=R3)])[0]
        assert (refused.result, bool(refused.error)) == (Result.POISON, True)
        committed(world.ledger, unit(before, second.starts(), first.cancelled(), active=R2, queue=(), last=R2))
        after = world.ledger.releases([R1, R2])
        assert (after[R1].release.phase, after[R2].release.phase) == (Phase.CANCELLED, Phase.PREPARING)

    def test_a_broken_history_is_refused(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        before, story = stored_row(world.ledger, T), Story(T, R1).started()
        good = unit(before, story, active=R1)
        events, last = good.events, good.events[-1]
        forged = replace(last, body=last.body.replace(b"CandidateReady", b"CandidateReadx"))
        for wrong in (
            replace(good, events=events[:-1]),
            replace(good, events=(events[0], events[2])),
            replace(good, events=(*events[:-1], forged)),
            replace(good, events=()),
            replace(good, releases=()),
            replace(good, releases=(StoredRelease(story.stored.release, "0" * 64),)),
            replace(good, expect=None),
            replace(good, target=target_id("other", "local")),
        ):
            assert outcome(world.ledger, wrong) == [Result.POISON]
        committed(world.ledger, good)

    def test_a_history_is_continued_from_where_it_ends(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story = Story(T, R1).started()
        begin(world.ledger, story)
        other = Story(T, R1, release=story.release, head=story.head)
        begin(world.ledger, story.promoting())
        lost = unit(stored_row(world.ledger, T), other.cancelled(), active=None)
        assert outcome(world.ledger, lost) == [Result.CONFLICT]
        assert world.ledger.releases([R1])[R1] == story.stored
        assert world.ledger.head_at(R1, 4) == story.head
        again = unit(stored_row(world.ledger, T), Story(T, R1).started(), active=R1)
        assert outcome(world.ledger, again) == [Result.POISON]

    def test_an_effect_is_made_once_however_often_it_is_derived(self, world: LedgerWorld) -> None:
        sent = replace(outgoing(R1, 1), attempts=7)
        committed(world.ledger, Unit(outbox=(outgoing(R1, 1), outgoing(R1, 2))))
        committed(world.ledger, Unit(outbox=(sent, outgoing(R1, 3))))
        assert world.ledger.claim_outbox("o", SECOND, 9) == tuple(outgoing(R1, number) for number in (1, 2, 3))


class Ticks:
    def test_gates_begin_with_what_the_last_release_of_the_target_knew(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story = Story(T, R1).started()
        first, second = story.stored.release, Story(T, R2).created().stored.release
        begin(world.ledger, story)
        known = measured(Measuring(R1))
        committed(world.ledger, Unit(measuring=Measuring(R1)), Unit(measuring=known))
        assert world.ledger.gates_before(first) == {}
        assert world.ledger.gates_before(second) == known.gates
        elsewhere = replace(second, target=target_id("other", "local"))
        assert world.ledger.gates_before(elsewhere) == {}

    def test_a_tick_counts_once_and_in_order(self, world: LedgerWorld) -> None:
        first = measured(Measuring(R1))
        second = measured(first)
        committed(world.ledger, Unit(measuring=Measuring(R1)), Unit(measuring=first))
        twice = replace(first, evidence="of another worker's tick 1")
        assert outcome(world.ledger, Unit(measuring=twice)) == [Result.CONFLICT]
        assert outcome(world.ledger, Unit(measuring=measured(second))) == [Result.CONFLICT]
        committed(world.ledger, Unit(measuring=second))
        assert outcome(world.ledger, Unit(measuring=first)) == [Result.CONFLICT]
        assert world.other.measuring(R1) == second

    def test_a_look_that_sees_nothing_and_a_new_start_are_no_ticks(self, world: LedgerWorld) -> None:
        first = measured(Measuring(R1), dseq=4)
        blind = replace(first, at=Micros(first.at + SECOND))
        start = replace(blind, stage=1, dseq=9, baked=Micros(0), base={})
        committed(world.ledger, *(Unit(measuring=each) for each in (first, blind, start)))
        assert outcome(world.ledger, Unit(measuring=measured(first, dseq=4))) == [Result.CONFLICT]
        assert world.other.measuring(R1) == start

    def test_a_doubled_tick_takes_its_unit_with_it(self, world: LedgerWorld) -> None:
        created(world.ledger, row(), row("other"))
        first = measured(Measuring(R1))
        committed(world.ledger, Unit(measuring=first))
        doubled = Unit(target=T, measuring=replace(first, evidence="x"), wake=Wake(None, "slept"))
        fine = Unit(target=target_id("other", "local"), measuring=measured(Measuring(R2)), wake=Wake(None, "slept"))
        assert outcome(world.ledger, doubled, fine) == [Result.CONFLICT, Result.DONE]
        assert stored_row(world.ledger, T).due_why == "a test"
        assert stored_row(world.ledger, target_id("other", "local")).due_why == "slept"


class LedgerContract(
    Rows, Claims, Fences, Commits, Ticks, Queues, Orders, Histories, Tokens, Sessions, Retentions, Droppings, Erasures
):
    """All of it."""
