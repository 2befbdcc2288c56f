"""Reading what happened."""

from collections.abc import Callable
from dataclasses import astuple, replace

import pytest

from delivery.model.ids import MINUTE, SECOND, Micros, Principal, ReleaseId, target_id
from delivery.model.shares import Shares
from delivery.model.verdict import Tick
from delivery.ports.history import Filter
from delivery.ports.rows import Alert, Measuring, Segment, StopOrder, Unit, Wake
from delivery.testing.contracts.ledger_values import (
    LEASE,
    START,
    LedgerWorld,
    Store,
    Story,
    begin,
    committed,
    created,
    measured,
    row,
    service,
    stored_row,
    unit,
)

T = target_id("checkout", "local")
R1 = ReleaseId("rel_01")


def publish(ledger: Store) -> None:
    """Five releases: two of checkout in prod-eu and prod-us, two of web, one of them running; ids in time's order."""
    created(ledger, row("checkout", "prod-eu"), row("checkout", "prod-us"), row("web", "prod-eu"))
    eu, us, web = target_id("checkout", "prod-eu"), target_id("checkout", "prod-us"), target_id("web", "prod-eu")
    bob = Principal("bob")
    stories = (
        Story(eu, ReleaseId("rel_1"), 1, "1.4.1").created().cancelled(),
        Story(us, ReleaseId("rel_2"), 1, "1.4.1", at=Micros(START + 1)).created().cancelled(),
        Story(web, ReleaseId("rel_3"), 1, "2.0", bob, at=Micros(START + 2)).created().cancelled(),
        Story(eu, ReleaseId("rel_4"), 2, "1.4.2", bob, at=Micros(START + 3)).started(),
        Story(web, ReleaseId("rel_5"), 2, "2.1", at=Micros(START + 4)).created(),
    )
    for story in stories:
        begin(ledger, story, queued=True)


class Histories:
    @pytest.mark.parametrize(
        ("only", "found"),
        [
            (Filter(), "54321"),
            (Filter(service="checkout"), "421"),
            (Filter(service="checkout", cluster="prod-eu"), "41"),
            (Filter(cluster="prod-us"), "2"),
            (Filter(states=("open",)), "54"),
            (Filter(states=("closed",)), "321"),
            (Filter(states=("preparing",)), "4"),
            (Filter(states=("preparing", "cancelled")), "4321"),
            (Filter(states=("queued", "closed"), service="web"), "53"),
            (Filter(states=("promoted",)), ""),
            (Filter(actor="bob"), "43"),
            (Filter(version="1.4.1"), "21"),
            (Filter(since=Micros(START + 3)), "54"),
            (Filter(until=Micros(START + 3)), "321"),
            (Filter(since=Micros(START + 1), until=Micros(START + 4), actor="alice"), "2"),
            (Filter(service="nobody"), ""),
        ],
        ids=lambda value: value if isinstance(value, str) else repr([part for part in astuple(value) if part]),
    )
    def test_a_page_has_what_meets_every_condition(self, world: LedgerWorld, only: Filter, found: str) -> None:
        publish(world.ledger)
        assert "".join(stored.release.id[-1] for stored in world.other.page(only, 9)) == found

    def test_heads_are_of_what_is_not_over_newest_first(self, world: LedgerWorld) -> None:
        publish(world.ledger)
        heads = {stored.release.id: stored.release.seq for stored in world.other.page(Filter(states=("open",)), 9)}
        assert list(heads) == ["rel_5", "rel_4"]
        assert world.other.open_heads(9) == heads
        assert list(world.other.open_heads(1)) == ["rel_5"]

    def test_pages_stay_as_they_were_while_releases_come(self, world: LedgerWorld) -> None:
        publish(world.ledger)
        first = world.ledger.page(Filter(), 2)
        newer = Story(target_id("web", "prod-eu"), ReleaseId("rel_6"), 3).created()
        begin(world.ledger, newer, queued=True)
        second = world.ledger.page(Filter(), 2, before=first[-1].release.id)
        third = world.ledger.page(Filter(), 2, before=second[-1].release.id)
        assert [stored.release.id[-1] for stored in (*first, *second, *third)] == ["5", "4", "3", "2", "1"]
        assert world.ledger.page(Filter(), 2, before=third[-1].release.id) == ()
        assert world.ledger.page(Filter(), 1) == (newer.stored,)

    def test_a_release_by_id_and_by_number(self, world: LedgerWorld) -> None:
        publish(world.ledger)
        four = world.ledger.release(ReleaseId("rel_4"))
        assert four is not None
        assert (four.release.number, four.release.candidate.version) == (2, "1.4.2")
        assert world.ledger.release(ReleaseId("rel_9")) is None
        assert [stored.release.id for stored in world.ledger.by_number("checkout", 1)] == ["rel_1", "rel_2"]
        assert [stored.release.id for stored in world.ledger.by_number(None, 2)] == ["rel_4", "rel_5"]
        assert world.ledger.by_number("web", 9) == ()

    def test_events_in_order_from_any_of_them(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story = Story(T, R1).started()
        begin(world.ledger, story)
        before = stored_row(world.ledger, T)
        committed(world.ledger, unit(before, story.promoting()))
        events = world.other.events(R1)
        assert [(event.seq, event.type) for event in events] == [
            (1, "Created"),
            (2, "Started"),
            (3, "CandidateReady"),
            (4, "PromotionBegun"),
        ]
        assert world.other.events(R1, after=2) == events[2:]
        assert world.other.events(R1, after=1, limit=2) == events[1:3]
        assert world.other.events(R1, after=4) == world.other.events(ReleaseId("rel_9")) == ()
        assert [world.other.head_at(R1, seq) for seq in range(6)] == [None, *(event.hash for event in events), None]
        assert events[0].event.at == events[0].at == START

    def test_a_release_as_it_was_at_an_event(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story = Story(T, R1).created()
        waiting = story.stored.release
        begin(world.ledger, story.starts().cancelled())
        assert world.other.release_at(R1, 1) == waiting
        assert world.other.release_at(R1, 4) == world.other.release_at(R1, 99) == story.stored.release
        assert world.other.release_at(R1, 0) is None
        assert world.other.release_at(ReleaseId("rel_9"), 1) is None

    def test_ticks_in_order_from_segments_and_beside_them(self, world: LedgerWorld) -> None:
        measuring = Measuring(R1)
        for number in range(1, 8):
            measuring = measured(measuring)
            segments: tuple[Segment, ...] = ()
            if number in (3, 5):
                segments = (Segment(R1, measuring.ticks[0].number, measuring.ticks, measuring.evidence),)
                measuring = replace(measuring, ticks=())
            committed(world.ledger, Unit(measuring=measuring, segments=segments))
        ticks = world.other.ticks(R1)
        assert [tick.number for tick in ticks] == [1, 2, 3, 4, 5, 6, 7]
        assert ticks[-2:] == measuring.ticks
        assert ticks[0].start == 0
        assert ticks[0].end == ticks[1].start == SECOND
        assert world.other.ticks(ReleaseId("rel_9")) == ()
        for after in range(8):
            assert world.other.ticks(R1, after) == ticks[after:]
            assert world.ledger.ticks(R1, after, 2) == ticks[after : after + 2]

    def test_ticks_are_summed_up_as_they_come(self, world: LedgerWorld) -> None:
        measuring, every = Measuring(R1), list[Tick]()
        assert world.other.shares(R1) == Shares()
        for number in range(1, 40):
            measuring = measured(measuring)
            every += measuring.ticks[-1:]
            segments: tuple[Segment, ...] = ()
            if number % 3 == 0:
                segments = (Segment(R1, measuring.ticks[0].number, measuring.ticks, measuring.evidence),)
                measuring = replace(measuring, ticks=())
            committed(world.ledger, Unit(measuring=measuring, segments=segments))
            if number % 5 == 0:
                assert world.other.shares(R1) == Shares().then(every)
        assert world.ledger.shares(R1) == world.other.shares(R1) == Shares().then(every)

    def test_a_mark_is_another_one_when_something_is_that_is_shown(self, world: LedgerWorld) -> None:
        created(world.ledger, row())
        story = Story(T, R1).started()
        begin(world.ledger, story)
        assert world.other.mark(ReleaseId("rel_9")) is None
        stop = StopOrder("*", Principal("bob"), "incident", START)
        seen = {world.other.mark(R1)}
        changes: list[Callable[[], object]] = [
            lambda: committed(world.ledger, unit(stored_row(world.ledger, T), story.promoting())),
            lambda: committed(world.ledger, Unit(measuring=measured(Measuring(R1)))),
            lambda: committed(world.ledger, unit(stored_row(world.ledger, T), paused="bob: by hand")),
            lambda: world.ledger.put_service(service("checkout")),
            lambda: world.ledger.put_stop(stop),
            lambda: world.ledger.put_stop(replace(stop, since=Micros(START + 1))),
            lambda: world.ledger.lift_stop("*"),
        ]
        for number, change in enumerate(changes, 2):
            change()
            seen.add(world.other.mark(R1))
            assert len(seen) == number
        world.ledger.claim(["local"], "w1", LEASE, 1)
        committed(world.ledger, Unit(target=T, owner="w1", wake=Wake(Micros(START + 9), "a poll", release_claim=True)))
        assert world.other.mark(R1) in seen

    def test_rows_of_all_services_or_one(self, world: LedgerWorld) -> None:
        rows = [row("checkout", "b"), row("checkout", "a", due_at=None), row("check-in", "a", urgent=True)]
        created(world.ledger, *rows)
        assert world.other.rows() == (rows[2], rows[1], rows[0])
        assert world.other.rows("checkout") == (rows[1], rows[0])
        assert world.other.rows("nobody") == ()

    def test_alerts_newest_first(self, world: LedgerWorld) -> None:
        alerts = [Alert(Micros(START - number * MINUTE), "outbox_dead", f"rel_{number}", "é") for number in range(3)]
        committed(world.ledger, *(Unit(alerts=(alert,)) for alert in alerts))
        assert world.other.alerts(2) == (alerts[2], alerts[1])
        assert world.other.alerts(9) == tuple(reversed(alerts))
