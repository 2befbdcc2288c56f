"""Claims, wake-ups and the fence's side of a row."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from delivery.model.ids import HOUR, SECOND, Micros, ReleaseId, TargetId, target_id
from delivery.model.since import READS
from delivery.ports.errors import TooNew
from delivery.ports.rows import FARTHEST, Result, Unit, Wake
from delivery.testing.contracts.ledger_values import (
    LEASE,
    START,
    LedgerWorld,
    Store,
    committed,
    created,
    outcome,
    outgoing,
    row,
    stored_row,
)

T = target_id("checkout", "local")
LATER = Micros(START + 60 * SECOND)


def claim(ledger: Store, owner: str = "w1", limit: int = 10, clusters: Sequence[str] = ("local",)) -> list[TargetId]:
    return list(ledger.claim(clusters, owner, LEASE, limit))


def hand_back(ledger: Store, owner: str = "w1", due_at: Micros | None = LATER, *, sooner: bool = False) -> Result:
    wake = Wake(due_at, "its bake is over", release_claim=True, sooner=sooner)
    return outcome(ledger, Unit(target=T, owner=owner, wake=wake))[0]


class Claims:
    def test_a_claim_is_exclusive_until_its_lease_is_over(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        assert claim(world.ledger) == [T]
        world.clock.pass_by(Micros(LEASE - 1))
        assert claim(world.other, "w2") == []
        world.clock.pass_by(Micros(1))
        assert claim(world.other, "w2") == [T]
        after = stored_row(world.ledger, T)
        assert (after.owner, after.lease_until, after.version) == ("w2", world.clock.at + LEASE, 0)

    def test_urgent_ones_come_first_and_then_those_that_are_longest_due(self, world: LedgerWorld) -> None:
        times = {"a": 5, "b": 3, "c": 4, "d": 1, "e": 2}
        created(
            world.ledger,
            *(row(name, due_at=Micros(START - 10 + at), urgent=name in "ab") for name, at in times.items()),
        )
        assert claim(world.ledger, limit=3) == [target_id(name, "local") for name in ("b", "a", "d")]
        assert claim(world.ledger, limit=3) == [target_id(name, "local") for name in ("e", "c")]

    def test_only_what_is_due_in_the_named_clusters_is_claimed(self, world: LedgerWorld) -> None:
        created(
            world.ledger,
            row("now"),
            row("soon", due_at=Micros(START + 1)),
            row("never", due_at=None),
            row("far", "prod-eu"),
        )
        assert claim(world.ledger) == [target_id("now", "local")]
        assert claim(world.ledger, clusters=()) == []
        assert claim(world.ledger, clusters=("prod-eu", "prod-us")) == [target_id("far", "prod-eu")]
        world.clock.pass_by(Micros(1))
        assert claim(world.ledger) == [target_id("soon", "local")]

    def test_what_a_newer_version_wrote_is_left_to_it(self, world: LedgerWorld) -> None:
        created(world.ledger, row(), row("other"))
        newer = replace(row(), requires=READS + 1)
        committed(world.ledger, Unit(target=T, expect=0, row=newer))
        assert claim(world.other) == [target_id("other", "local")]
        assert set(world.other.load([T, target_id("other", "local")])) == {target_id("other", "local")}
        assert world.other.unreadable([T, target_id("other", "local"), target_id("nobody", "local")]) == {T}
        with pytest.raises(TooNew, match=T):
            world.other.rows()
        assert [each.target.id for each in world.other.rows("other")] == [target_id("other", "local")]

    def test_what_a_row_requires_never_falls(self, world: LedgerWorld) -> None:
        created(world.ledger, row(), row("other"))
        for least in (READS, READS + 1, READS):
            world.ledger.require("checkout", least)
        assert world.ledger.unreadable([T, target_id("other", "local")]) == {T}
        committed(world.ledger, Unit(target=T, expect=0, row=row()))
        assert world.other.unreadable([T]) == {T}

    def test_a_claim_that_is_handed_back_is_free_when_it_is_due(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        assert hand_back(world.ledger) is Result.DONE
        after = stored_row(world.ledger, T)
        assert (after.owner, after.due_at, after.due_why, after.version) == ("", LATER, "its bake is over", 0)
        assert claim(world.other, "w2") == []
        world.clock.at = LATER
        assert claim(world.other, "w2") == [T]

    def test_what_must_not_wait_ends_the_claim_of_whoever_has_it(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        before = stored_row(world.ledger, T)
        order = Wake(START, "a decision", urgent=True, release_claim=True)
        committed(world.other, Unit(target=T, expect=0, row=before, wake=order))
        assert not world.ledger.holds(T, "w1", 0)
        assert not world.ledger.holds(T, "w1", 1), "nor with what it may read now"
        assert hand_back(world.ledger) is Result.CONFLICT
        assert claim(world.other, "w2") == [T]
        after = stored_row(world.ledger, T)
        assert (after.owner, after.version, after.urgent) == ("w2", 1, True)
        assert hand_back(world.ledger, "w2") is Result.DONE
        assert stored_row(world.ledger, T).due_at == LATER, "who has it now has taken the order into account"

    def test_who_lost_the_claim_commits_nothing(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        world.clock.pass_by(LEASE)
        claim(world.other, "w2")
        assert hand_back(world.ledger) is Result.CONFLICT
        assert stored_row(world.ledger, T).owner == "w2"

    def test_a_wake_up_beside_a_claim_is_not_slept_over(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        drift = Wake(Micros(START + 5), "the route changed", sooner=True)
        committed(world.other, Unit(target=T, wake=drift))
        committed(world.other, Unit(target=T, wake=replace(drift, due_at=Micros(START + 9))))
        assert hand_back(world.ledger) is Result.DONE
        assert stored_row(world.ledger, T).due_at == START + 5

    def test_a_wake_up_lasts_over_a_commit_in_the_middle_of_a_claim(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        committed(world.other, Unit(target=T, wake=Wake(Micros(START + 5), "the route changed")))
        before = stored_row(world.ledger, T)
        committed(world.ledger, Unit(target=T, expect=0, owner="w1", row=replace(before, due_at=LATER)))
        assert hand_back(world.ledger) is Result.DONE
        assert stored_row(world.ledger, T).due_at == START + 5

    def test_the_next_claim_has_taken_the_wake_up_into_account(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        committed(world.other, Unit(target=T, wake=Wake(START, "the route changed")))
        hand_back(world.ledger)
        assert claim(world.ledger) == [T]
        hand_back(world.ledger)
        assert stored_row(world.ledger, T).due_at == LATER

    def test_a_claim_after_one_that_ran_out_has_taken_it_into_account_too(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        committed(world.other, Unit(target=T, wake=Wake(START, "the route changed")))
        world.clock.pass_by(LEASE)
        assert claim(world.ledger, "w2") == [T]
        hand_back(world.ledger, "w2")
        assert stored_row(world.ledger, T).due_at == LATER

    def test_sooner_keeps_an_earlier_time_and_what_is_urgent(self, world: LedgerWorld) -> None:
        created(world.ledger, row(urgent=True))
        committed(world.ledger, Unit(target=T, wake=Wake(LATER, "later", sooner=True)))
        before = stored_row(world.ledger, T)
        assert (before.due_at, before.due_why, before.urgent) == (START, "a test", True)
        committed(world.ledger, Unit(target=T, wake=Wake(Micros(START - 1), "sooner", sooner=True)))
        after = stored_row(world.ledger, T)
        assert (after.due_at, after.due_why, after.urgent) == (START - 1, "sooner", True)
        committed(world.ledger, Unit(target=T, wake=Wake(None, "an input", sooner=True)))
        assert stored_row(world.ledger, T).due_at == START - 1
        committed(world.ledger, Unit(target=T, wake=Wake(None, "an input")))
        assert stored_row(world.ledger, T).due_at is None
        committed(world.ledger, Unit(target=T, wake=Wake(LATER, "later", sooner=True)))
        assert stored_row(world.ledger, T).due_at == LATER

    def test_wake_ups_of_one_batch_count_in_their_order(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        wakes = (
            Wake(START, "a"),
            Wake(Micros(START - 9), "b", sooner=True),
            Wake(LATER, "c"),
            Wake(None, "d", sooner=True),
        )
        committed(world.ledger, *(Unit(target=T, wake=wake) for wake in wakes))
        assert (stored_row(world.ledger, T).due_at, stored_row(world.ledger, T).due_why) == (LATER, "c")

    def test_a_clock_that_goes_back_an_hour_stalls_nobody(self, world: LedgerWorld) -> None:
        created(world.ledger, row("held"), row("due", due_at=Micros(START + FARTHEST)), row("urgent", urgent=True))
        claim(world.ledger, "w1", limit=2)
        committed(world.ledger, Unit(outbox=(outgoing(ReleaseId("rel_01"), 1),)))
        world.ledger.claim_outbox("w1", LEASE, 1)
        world.ledger.lease("observer:local", "w1", LEASE)
        world.clock.at = Micros(START - HOUR)
        assert claim(world.other, "w2") == [target_id(name, "local") for name in ("urgent", "held", "due")]
        assert world.other.lateness(["local"]) == (0, 0)
        assert len(world.other.claim_outbox("w2", LEASE, 9)) == 1
        assert world.other.lease("observer:local", "w2", LEASE)
        assert claim(world.other, "w3") == []

    def test_claims_at_the_same_time_share_no_target(self, world: LedgerWorld) -> None:
        created(world.ledger, *(row(f"s{number:03}") for number in range(120)))

        def take(worker: int) -> list[TargetId]:
            ledger = (world.ledger, world.other)[worker % 2]
            taken: list[TargetId] = []
            while found := claim(ledger, f"w{worker}", limit=7):
                taken += found
            return taken

        with ThreadPoolExecutor(4) as pool:
            taken = [target for part in pool.map(take, range(4)) for target in part]
        assert len(taken) == len(set(taken)) == 120

    def test_lateness_counts_what_is_due_and_held_by_nobody(self, world: LedgerWorld) -> None:
        assert world.ledger.lateness(["local"]) == (0, 0)
        early = Micros(START - 7)
        created(
            world.ledger, row("a", due_at=early), row("b"), row("c", "far", due_at=Micros(1)), row("d", due_at=LATER)
        )
        assert world.ledger.lateness(["local"]) == (2, 7)
        claim(world.ledger, limit=1)
        assert world.ledger.lateness(["local"]) == (1, 0)


class Fences:
    def test_a_claim_holds_for_its_owner_version_and_time(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        assert not world.ledger.holds(T, "", 0)
        claim(world.ledger)
        assert world.ledger.holds(T, "w1", 0)
        assert not world.ledger.holds(T, "w2", 0)
        assert not world.ledger.holds(T, "w1", 1)
        assert not world.ledger.holds(target_id("other", "local"), "w1", 0)
        world.clock.pass_by(LEASE)
        assert not world.ledger.holds(T, "w1", 0)

    def test_an_epoch_is_the_next_one_or_above_what_was_seen(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        assert world.ledger.bump_epoch(T, "w1", 0) == 1
        assert world.ledger.bump_epoch(T, "w1", 0, above=7) == 8
        assert world.ledger.bump_epoch(T, "w1", 0, above=3) == 9
        after = stored_row(world.ledger, T)
        assert (after.epoch, after.writer, after.version) == (9, "w1", 0)

    def test_no_epoch_without_the_claim_or_the_version(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        assert world.ledger.bump_epoch(T, "w2", 0) is None
        assert world.ledger.bump_epoch(T, "w1", 1) is None
        world.clock.pass_by(LEASE)
        assert world.ledger.bump_epoch(T, "w1", 0) is None
        assert stored_row(world.ledger, T).epoch == 0

    def test_a_write_is_settled_by_the_owner_of_its_epoch(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        claim(world.ledger)
        world.ledger.bump_epoch(T, "w1", 0)
        settled = (1, ReleaseId("rel_01"), 4)
        assert world.ledger.settle(T, "w1", settled, "digest", Micros(START + 3))
        after = stored_row(world.ledger, T)
        assert (after.settled, after.content, after.written_at, after.version) == (settled, "digest", START + 3, 0)
        assert not world.ledger.settle(T, "w2", settled, "other", START)
        world.ledger.bump_epoch(T, "w1", 0)
        assert not world.ledger.settle(T, "w1", settled, "of an epoch that is over", START)
        assert stored_row(world.ledger, T).content == "digest"

    def test_a_commit_leaves_the_claim_and_the_fence_alone(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        stale = stored_row(world.ledger, T)
        claim(world.ledger)
        world.ledger.bump_epoch(T, "w1", 0)
        world.ledger.settle(T, "w1", (1, ReleaseId("rel_01"), 4), "digest", START)
        before = stored_row(world.ledger, T)
        paused = replace(
            stale, target=replace(stale.target, paused="bob"), failures=3, quarantined="KeyError", urgent=True
        )
        committed(world.other, Unit(target=T, expect=0, row=paused))
        after = replace(before, target=paused.target, version=1, failures=3, quarantined="KeyError", urgent=True)
        assert stored_row(world.ledger, T) == after
