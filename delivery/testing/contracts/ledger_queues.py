"""Inbox and outbox; services, stops, heartbeats and named leases."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

from delivery.model.ids import MINUTE, SECOND, Micros, Principal, ReleaseId, target_id
from delivery.ports.rows import (
    Alert,
    DeliveryHead,
    InboxState,
    OutboxState,
    Outgoing,
    Result,
    ServiceRecord,
    StopOrder,
    Unit,
)
from delivery.testing.contracts.ledger_values import (
    LEASE,
    START,
    LedgerWorld,
    committed,
    created,
    delivery,
    outcome,
    outgoing,
    row,
    service,
    stored_row,
)

T = target_id("checkout", "local")
R1 = ReleaseId("rel_01")
BOB = Principal("bob")


class Queues:
    def test_a_delivery_is_kept_as_it_came(self, world: LedgerWorld) -> None:
        kept = replace(delivery("a"), body=bytes(range(256)), answer={"b": 1, "a": {"é": [None, True, 0.1]}})
        committed(world.ledger, Unit(inbox=(kept,)))
        assert world.other.deliveries([(kept.source, "a"), (kept.source, "b")]) == {(kept.source, "a"): kept}
        assert world.other.deliveries([]) == {}

    def test_a_dead_delivery_is_found_and_answered_later(self, world: LedgerWorld) -> None:
        old, new = (replace(delivery(key), state=InboxState.DEAD, error="no such service") for key in "ab")
        committed(world.ledger, Unit(inbox=(replace(new, received_at=Micros(START + 1)),)), Unit(inbox=(old,)))
        committed(world.ledger, Unit(inbox=(delivery("c"), replace(delivery("d"), state=InboxState.PENDING))))
        assert [each.key for each in world.ledger.inbox(InboxState.DEAD, 9)] == ["a", "b"]
        assert [each.key for each in world.ledger.inbox(InboxState.DEAD, 1)] == ["a"]
        assert [world.other.dead_deliveries(most) for most in (1, 2, 9)] == [1, 2, 2]
        assert [each.key for each in world.ledger.inbox(InboxState.PENDING, 9)] == ["d"]
        answered = replace(old, state=InboxState.DONE, outcome="release", reason="", answer={"id": 1}, error="")
        late = replace(answered, body=b"another", digest="another", received_at=Micros(0))
        assert not world.ledger.update_delivery(late, InboxState.PENDING)
        assert world.other.update_delivery(late, InboxState.DEAD)
        assert not world.ledger.update_delivery(replace(old, state=InboxState.DISCARDED), InboxState.DEAD)
        assert not world.ledger.update_delivery(replace(old, key="nobody's"), InboxState.DEAD)
        assert world.ledger.deliveries([(old.source, "a")]) == {(old.source, "a"): answered}
        assert [each.key for each in world.ledger.inbox(InboxState.DEAD, 9)] == ["b"]

    def test_deliveries_are_listed_without_what_came(self, world: LedgerWorld) -> None:
        rows = [replace(delivery(key), state=InboxState.DEAD, error="no such service") for key in "ba"]
        committed(world.ledger, Unit(inbox=(*rows, delivery("c"))))
        heads = [DeliveryHead(r.source, r.key, START, r.state, r.outcome, r.reason, r.error) for r in reversed(rows)]
        assert list(world.other.inbox_heads(InboxState.DEAD, 9)) == heads
        assert list(world.other.inbox_heads(InboxState.DEAD, 1)) == heads[:1]

    def test_deliveries_of_one_cluster_are_told_by_their_keys(self, world: LedgerWorld) -> None:
        keys = ("a 1#checkout@prod_eu", "a 2#checkout@prod-eu", "a 3", "a 4#cart@prod-eu", "a 5#checkout@a-prod-eu")
        rows = [replace(delivery(key), state=InboxState.PENDING) for key in keys]
        committed(world.ledger, *(Unit(inbox=(one,)) for one in rows))
        found = world.other.inbox(InboxState.PENDING, 9, "prod-eu")
        assert sorted(row.key for row in found) == ["a 2#checkout@prod-eu", "a 4#cart@prod-eu"]
        assert len(world.ledger.inbox(InboxState.PENDING, 1, "prod-eu")) == 1

    def test_an_effect_is_leased_and_handed_out_again(self, world: LedgerWorld) -> None:
        committed(world.ledger, Unit(outbox=(outgoing(R1, 1),)))
        assert world.ledger.claim_outbox("o1", LEASE, 9) == (outgoing(R1, 1),)
        assert world.other.claim_outbox("o2", LEASE, 9) == ()
        world.clock.pass_by(LEASE)
        assert world.other.claim_outbox("o2", LEASE, 9) == (outgoing(R1, 1),)

    def test_effects_of_a_chat_that_is_away_are_left_where_they_are(self, world: LedgerWorld) -> None:
        slack, other = (
            replace(outgoing(R1, number), key=f"k{number}", channel=channel)
            for number, channel in ((1, "slack:#a"), (2, "slack_two:#a"))
        )
        committed(world.ledger, Unit(outbox=(slack, other)))
        assert world.ledger.claim_outbox("o1", LEASE, 9, without={"slack", "console"}) == (other,)
        assert world.other.claim_outbox("o2", LEASE, 9) == (slack,)

    def test_effects_of_one_receiver_may_be_asked_for_alone_and_in_turn(self, world: LedgerWorld) -> None:
        def row(release: ReleaseId, number: int, channel: str, late: int = 0) -> Outgoing:
            due = Micros(START + late)
            return replace(outgoing(release, number, channel, due), key=f"{release}:{number}:{channel}promoted")

        other = ReleaseId("rel_02")
        first, second = row(R1, 2, "audit:", late=5), row(R1, 10, "audit:")
        alone, slack = row(other, 11, "audit:"), row(R1, 1, "audit_2:#a")
        committed(world.ledger, Unit(outbox=(first, second, alone, slack)))
        assert world.ledger.claim_outbox("o", LEASE, 9, only="audit", in_turn=True) == (alone,)
        world.ledger.update_outbox([replace(alone, state=OutboxState.SENT)], "o")
        world.clock.pass_by(Micros(5))
        assert world.other.claim_outbox("o", LEASE, 9, only="audit", in_turn=True) == (first,)
        assert world.ledger.claim_outbox("o", LEASE, 9, only="audit", in_turn=True) == ()
        world.ledger.update_outbox([replace(first, state=OutboxState.DEAD)], "o")
        assert world.other.claim_outbox("o", LEASE, 9, only="audit", in_turn=True) == (second,)
        assert world.other.claim_outbox("o", LEASE, 9) == (slack,)

    def test_an_effect_that_failed_comes_again_when_it_is_due(self, world: LedgerWorld) -> None:
        committed(world.ledger, Unit(outbox=(outgoing(R1, 1), outgoing(R1, 2))))
        first, second = world.ledger.claim_outbox("o1", LEASE, 9)
        again = replace(first, attempts=1, due_at=Micros(START + 5), error="rate limited")
        sent = replace(second, state=OutboxState.SENT, attempts=1)
        assert world.ledger.update_outbox([again, sent], "o1")
        assert world.ledger.update_outbox([])
        assert world.other.claim_outbox("o2", LEASE, 9) == ()
        world.clock.pass_by(Micros(5))
        assert world.other.claim_outbox("o2", LEASE, 9) == (again,)
        dead = replace(again, state=OutboxState.DEAD)
        assert world.other.update_outbox([dead], "o2")
        world.clock.pass_by(LEASE)
        assert world.other.claim_outbox("o2", LEASE, 9) == ()
        assert world.ledger.outbox(OutboxState.DEAD, 9) == (dead,)
        assert world.ledger.outbox(OutboxState.SENT, 9) == (sent,)
        assert world.ledger.outbox(OutboxState.WAITING, 9) == ()

    def test_of_two_who_send_a_dead_effect_again_one_does(self, world: LedgerWorld) -> None:
        committed(world.ledger, Unit(outbox=(outgoing(R1, 1), outgoing(R1, 2))))
        dead = [replace(each, state=OutboxState.DEAD) for each in world.ledger.claim_outbox("o", LEASE, 9)]
        assert world.ledger.update_outbox(dead, "o")
        assert not world.ledger.update_outbox([replace(dead[0], state=OutboxState.WAITING)], "o")
        assert world.ledger.update_outbox([replace(dead[0], state=OutboxState.WAITING)])
        (again,) = world.ledger.claim_outbox("o", LEASE, 9)
        assert not world.other.update_outbox([replace(each, state=OutboxState.WAITING) for each in reversed(dead)])
        assert world.ledger.update_outbox([replace(again, state=OutboxState.SENT)], "o")
        assert not world.other.update_outbox([replace(dead[0], state=OutboxState.WAITING)])
        assert not world.other.update_outbox([replace(outgoing(R1, 9), state=OutboxState.WAITING)])
        assert [len(world.other.outbox(state, 9)) for state in OutboxState] == [0, 1, 1, 0]

    def test_alerts_are_stored_with_the_rows_that_they_are_about_or_not_at_all(self, world: LedgerWorld) -> None:
        late = replace(delivery("a"), state=InboxState.PENDING)
        committed(world.ledger, Unit(inbox=(late,), outbox=(outgoing(R1, 1),)))
        (row,) = world.ledger.claim_outbox("o", LEASE, 9)
        lost, dead = (Alert(START, kind, row.key, "é") for kind in ("lost", "outbox_dead"))
        assert not world.ledger.update_outbox([replace(row, state=OutboxState.DEAD)], "another", [lost])
        assert not world.ledger.update_delivery(replace(late, state=InboxState.DEAD), InboxState.DONE, [lost])
        assert world.other.alerts(9) == ()
        assert world.ledger.update_outbox([replace(row, state=OutboxState.DEAD)], "o", [dead])
        assert world.other.alerts(9) == (dead,)
        assert world.ledger.update_delivery(replace(late, state=InboxState.DEAD), InboxState.PENDING, [dead])
        assert world.other.alerts(9) == (dead, dead)

    def test_who_was_too_slow_to_send_changes_nothing_any_more(self, world: LedgerWorld) -> None:
        committed(world.ledger, Unit(outbox=(outgoing(R1, 1),)))
        (slow,) = world.ledger.claim_outbox("o1", LEASE, 9)
        world.clock.pass_by(LEASE)
        (claimed,) = world.other.claim_outbox("o2", LEASE, 9)
        assert not world.ledger.update_outbox([replace(slow, state=OutboxState.SENT)], "o1")
        assert world.other.claim_outbox("o1", LEASE, 9) == ()
        assert world.other.update_outbox([replace(claimed, state=OutboxState.SENT)], "o2")
        assert not world.ledger.update_outbox([replace(slow, error="it did not answer")], "o1")
        assert [each.key for each in world.other.outbox(OutboxState.SENT, 9)] == [slow.key]

    def test_effects_go_out_oldest_first_and_in_the_order_of_their_events(self, world: LedgerWorld) -> None:
        rows = [outgoing(R1, 10), outgoing(R1, 2), outgoing(ReleaseId("rel_02"), 1, due_at=Micros(START - 1))]
        committed(world.ledger, Unit(outbox=tuple(rows)), Unit(outbox=(outgoing(R1, 3, due_at=Micros(START + 1)),)))
        assert world.ledger.outbox(OutboxState.WAITING, 3) == (rows[2], rows[1], rows[0])
        assert world.ledger.claim_outbox("o", LEASE, 2) == (rows[2], rows[1])
        assert world.ledger.claim_outbox("o", LEASE, 2) == (rows[0],)


class Orders:
    def test_a_service_is_stored_revision_by_revision(self, world: LedgerWorld) -> None:
        first = service("checkout")
        assert not world.ledger.put_service(replace(first, revision=2))
        assert world.ledger.put_service(first)
        assert not world.other.put_service(first)
        second = replace(first, revision=2, document={"z": 1, "a": "é"}, digest="d")
        assert world.other.put_service(second)
        assert not world.ledger.put_service(second)
        assert world.ledger.put_service(service("a-service"))
        assert world.ledger.service("checkout") == second
        assert list(second.document) == list((world.ledger.service("checkout") or first).document)
        assert world.ledger.services() == (service("a-service"), second)
        assert world.ledger.services(["checkout", "nobody"]) == (second,)
        assert world.ledger.services([]) == ()
        assert world.ledger.service("nobody") is None

    def test_a_file_is_stored_only_on_targets_as_they_were_seen(self, world: LedgerWorld) -> None:
        created(world.ledger, row(), row("other"))
        assert not world.ledger.put_service(service("checkout"), {})
        assert not world.ledger.put_service(service("checkout"), {T: 1})
        assert world.ledger.service("checkout") is None
        assert world.ledger.put_service(service("checkout"), {T: 0})
        assert [each.version for each in world.other.rows()] == [1, 0]
        assert not world.other.delete_service("checkout", {T: 0})
        assert world.ledger.service("checkout") is not None
        assert world.other.delete_service("checkout", {T: 1})
        assert world.ledger.service("checkout") is None

    def test_of_a_release_and_a_file_at_once_one_is_first_and_the_other_looks_again(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        ready = Barrier(2, timeout=30)
        with ThreadPoolExecutor(2) as threads:
            for revision in range(1, 13):
                before = stored_row(world.ledger, T)
                decided = Unit(target=T, expect=before.version, row=before)
                applied = service("checkout", (world.ledger.service("checkout") or service("", 0)).revision + 1)

                def decide(decided: Unit = decided) -> bool:
                    ready.wait()
                    return outcome(world.ledger, decided) == [Result.DONE]

                def apply(applied: ServiceRecord = applied, seen: int = before.version) -> bool:
                    ready.wait()
                    return world.other.put_service(applied, {T: seen})

                first, second = threads.submit(decide), threads.submit(apply)
                assert first.result() != second.result(), revision
                assert stored_row(world.ledger, T).version == revision

    def test_a_deleted_service_leaves_targets_that_are_not_due(self, world: LedgerWorld) -> None:
        world.ledger.put_service(service("checkout"))
        created(world.ledger, row(), row("other"))
        before = stored_row(world.ledger, T)
        world.ledger.delete_service("checkout")
        world.ledger.delete_service("nobody")
        assert world.ledger.service("checkout") is None
        assert stored_row(world.ledger, T).due_at is None
        assert stored_row(world.ledger, target_id("other", "local")).due_at == START
        assert outcome(world.ledger, Unit(target=T, expect=before.version, row=before)) == [Result.CONFLICT]
        assert world.ledger.put_service(service("checkout"))

    def test_where_a_chat_has_its_message_is_remembered(self, world: LedgerWorld) -> None:
        assert world.ledger.posted(R1, "slack:#a") is None
        world.ledger.note_posted(R1, "slack:#a", "1")
        world.ledger.note_posted(R1, "slack:#b", "2")
        world.other.note_posted(R1, "slack:#a", "3")
        assert [world.ledger.posted(R1, channel) for channel in ("slack:#a", "slack:#b")] == ["3", "2"]
        assert world.other.posted(ReleaseId("rel_02"), "slack:#a") is None

    def test_a_stop_makes_what_it_covers_due(self, world: LedgerWorld) -> None:
        later = Micros(START + MINUTE)
        world.ledger.put_service(service("pay", owners=("team-pay", "sre")))
        created(world.ledger, row("pay", "a", later), row("pay", "b", None), row("web", "a", Micros(START - 5)))
        for scope, covered in (("owner:sre", "pay@a pay@b"), ("cluster:a", "pay@a web@a"), ("*", "pay@a pay@b web@a")):
            before = {each.target.id: each for each in world.ledger.rows()}
            world.ledger.put_stop(StopOrder(scope, BOB, "incident", START))
            after = {each.target.id: each for each in world.ledger.rows()}
            changed = [target for target in after if after[target].version != before[target].version]
            assert " ".join(sorted(changed)) == covered
            assert all(after[target].due_at == min(START, before[target].due_at or START) for target in changed)
        assert [order.scope for order in world.other.stops()] == ["*", "cluster:a", "owner:sre"]

    def test_a_stop_is_not_slept_over_by_who_is_at_work(self, world: LedgerWorld) -> None:
        created(world.ledger, row(due_at=Micros(START - 1)))
        world.ledger.claim(["local"], "w1", LEASE, 1)
        before = stored_row(world.ledger, T)
        world.other.put_stop(StopOrder("*", BOB, "incident", START))
        raises = Unit(target=T, expect=before.version, owner="w1", row=before)
        assert outcome(world.ledger, raises) == [Result.CONFLICT]

    def test_a_stop_is_replaced_and_lifted(self, world: LedgerWorld) -> None:
        created(world.ledger, row(due_at=None))
        world.ledger.put_stop(StopOrder("*", BOB, "incident", START))
        world.ledger.put_stop(StopOrder("*", BOB, "a worse one", START))
        assert world.other.stops() == (StopOrder("*", BOB, "a worse one", START),)
        before = stored_row(world.ledger, T)
        committed(world.ledger, Unit(target=T, expect=before.version, row=replace(before, due_at=None)))
        world.ledger.lift_stop("*")
        assert (world.other.stops(), stored_row(world.ledger, T).due_at) == ((), START)
        version = stored_row(world.ledger, T).version
        world.ledger.lift_stop("*")
        assert stored_row(world.ledger, T).version == version

    def test_workers_are_listed_with_when_they_were_last_heard(self, world: LedgerWorld) -> None:
        world.ledger.beat("w1", "2 threads")
        world.clock.pass_by(SECOND)
        world.other.beat("w2", "")
        world.clock.pass_by(SECOND)
        world.ledger.beat("w1", "3 threads")
        assert world.ledger.workers() == {"w1": START + 2 * SECOND, "w2": START + SECOND}
        world.clock.pass_by(Micros(1440 * MINUTE))
        world.ledger.beat("w3", "")
        assert set(world.other.workers()) == {"w1", "w3"}

    def test_a_named_lease_has_one_holder(self, world: LedgerWorld) -> None:
        assert world.ledger.lease("observer:a", "w1", LEASE)
        assert not world.other.lease("observer:a", "w2", LEASE)
        assert world.other.lease("observer:b", "w2", LEASE)
        world.clock.pass_by(Micros(LEASE - 1))
        assert world.ledger.lease("observer:a", "w1", LEASE)
        world.clock.pass_by(Micros(LEASE - 1))
        assert not world.other.lease("observer:a", "w2", LEASE)
        world.clock.pass_by(Micros(1))
        assert world.other.lease("observer:a", "w2", LEASE)
        assert not world.ledger.lease("observer:a", "w1", LEASE)
