"""The book: services as applied, how old they may be, and what stands in the context of a decision."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.engine.book import MADE_UP, STALE_AFTER, Book
from delivery.machine.evolve import fold
from delivery.model.codec import digest
from delivery.model.context import Freeze, Stop
from delivery.model.ids import HOUR, Micros, Principal, ReleaseId, TargetId
from delivery.model.service import FreezeRule
from delivery.model.target import Target
from delivery.ports.errors import Refused
from delivery.ports.rows import ServiceRecord, StopOrder
from delivery.strategies.plan import compile_plan
from delivery.testing.contracts.ledger_values import Watch
from delivery.wiring import parse

OPS, OLGA = Principal("ops"), Principal("olga")
CHECKOUT = Target(TargetId("checkout@local"), "checkout", "local")
DOCUMENT = {
    "service": "checkout",
    "cluster": "local",
    "owners": ["team-payments"],
    "workload": {"process": "checkout"},
    "strategies": [{"canary": {"steps": ["5%"], "bake": "1m"}}],
    "policy": {"freeze": [{"cron": "0 16 * * fri", "for": "64h"}]},
}
FREEZE = Freeze("weekend", Micros(7), Micros(9))


class Ledger(MemoryLedger):
    """Counts what it is asked."""

    def __init__(self, clock: Watch) -> None:
        super().__init__(clock, fold)
        self.asked: list[tuple[str, ...]] = []
        self.stops_asked = 0

    def services(self, names: Collection[str] | None = None) -> tuple[ServiceRecord, ...]:
        self.asked.append(tuple(names or ()))
        return super().services(names)

    def stops(self) -> tuple[StopOrder, ...]:
        self.stops_asked += 1
        return super().stops()


class Shelf:
    def __init__(self) -> None:
        self.clock = Watch()
        self.ledger = Ledger(self.clock)
        self.parsed = 0
        self.frozen_asked: list[Sequence[FreezeRule]] = []
        self.book = Book(self.ledger, self.clock, self.parse, compile_plan, self.frozen)
        self.apply()

    def parse(self, document: Any) -> Any:
        self.parsed += 1
        return parse(document)

    def frozen(self, rules: Sequence[FreezeRule], now: Micros) -> tuple[Freeze | None, Micros | None]:
        self.frozen_asked.append(rules)
        return FREEZE, FREEZE.end

    def apply(self, name: str = "checkout", **changes: Any) -> None:
        stored = self.ledger.service(name)
        document = {**DOCUMENT, "service": name, **changes}
        revision = stored.revision + 1 if stored else 1
        record = ServiceRecord(name, document, digest(document), revision, self.clock.at, OLGA)
        assert self.ledger.put_service(record)

    def stop(self, scope: str) -> None:
        self.ledger.put_stop(StopOrder(scope, OPS, "an incident", Micros(5)))

    def bake(self, *, recent: bool) -> Micros:
        entry = self.book.recent("checkout") if recent else self.book.fresh("checkout")
        assert entry is not None
        assert entry.plan is not None
        return entry.plan.stages[0].bake


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


SLOWER = [{"canary": {"steps": ["5%"], "bake": "2m"}}]


class TestReading:
    def test_what_is_applied_is_read_at_once_by_whoever_asks_for_it_fresh(self, shelf: Shelf) -> None:
        before = shelf.bake(recent=False)
        shelf.apply(strategies=SLOWER)
        assert shelf.bake(recent=False) == 2 * before

    def test_and_within_a_second_by_drains(self, shelf: Shelf) -> None:
        before = shelf.bake(recent=True)
        shelf.apply(strategies=SLOWER)
        shelf.clock.pass_by(Micros(STALE_AFTER - 1))
        assert shelf.bake(recent=True) == before
        shelf.clock.pass_by(Micros(1))
        assert shelf.bake(recent=True) == 2 * before

    def test_a_clock_that_goes_back_makes_nothing_live_longer(self, shelf: Shelf) -> None:
        before = shelf.bake(recent=True)
        shelf.apply(strategies=SLOWER)
        shelf.clock.pass_by(Micros(-HOUR))
        assert shelf.bake(recent=True) == 2 * before

    def test_a_revision_is_parsed_once(self, shelf: Shelf) -> None:
        for _ in range(5):
            shelf.bake(recent=False)
        assert shelf.parsed == 1
        shelf.apply(strategies=SLOWER)
        shelf.bake(recent=False)
        assert shelf.parsed == 2

    def test_a_service_that_is_not_there_is_remembered_as_such_for_a_second(self, shelf: Shelf) -> None:
        assert shelf.book.recent("nothing") is None
        assert shelf.book.recent("nothing") is None
        assert shelf.ledger.asked == [("nothing",)]
        shelf.apply("nothing")
        shelf.clock.pass_by(STALE_AFTER)
        assert shelf.book.recent("nothing") is not None

    def test_a_release_sees_its_service_as_it_was_applied_right_before_it(self, shelf: Shelf) -> None:
        assert shelf.book.recent("nothing") is None, "the mesh asked for a route that it found"
        shelf.apply("nothing")
        assert shelf.book.since("nothing", shelf.clock.now()) is not None
        (before,) = shelf.book.read(["checkout"]).values()
        shelf.apply("checkout", strategies=SLOWER)
        begun = shelf.clock.now()
        after = shelf.book.since("checkout", begun)
        assert before is not None
        assert after is not None
        assert after.plan != before.plan
        shelf.clock.pass_by(Micros(2))
        shelf.book.since("checkout", begun)
        asked = len(shelf.ledger.asked)
        assert shelf.book.since("checkout", begun) is not None
        assert len(shelf.ledger.asked) == asked, "and then it is known"

    def test_a_file_that_cannot_be_read_any_more_says_why_and_stops_no_other(self, shelf: Shelf) -> None:
        shelf.apply("broken", strategies=[{"unheard_of": {}}])
        found = shelf.book.read(["broken", "checkout"])
        broken, checkout = found["broken"], found["checkout"]
        assert broken is not None
        assert broken.plan is None
        assert "unheard_of" in broken.broken
        assert checkout is not None
        assert checkout.service is not None

    def test_what_will_soon_be_too_old_is_read_in_one_call(self, shelf: Shelf) -> None:
        shelf.apply("billing")
        shelf.book.renew(["billing", "checkout"])
        shelf.book.renew(["billing", "checkout"])
        assert [sorted(names) for names in shelf.ledger.asked] == [["billing", "checkout"]]
        shelf.clock.pass_by(Micros(STALE_AFTER // 2))
        shelf.book.renew(["billing"])
        assert shelf.ledger.asked[1:] == [("billing",)]


class TestContext:
    def test_has_the_time_the_freeze_and_the_ids(self, shelf: Shelf) -> None:
        context = shelf.book.context(CHECKOUT, (ReleaseId("rel_1"),))
        assert (context.now, context.freeze, context.freeze_edge) == (shelf.clock.at, FREEZE, FREEZE.end)
        assert (context.stop, context.fresh_ids) == (None, ("rel_1",))

    def test_without_rules_nobody_looks_into_the_calendar(self, shelf: Shelf) -> None:
        shelf.apply(policy={})
        assert shelf.book.context(CHECKOUT).freeze is None
        assert shelf.book.context(replace(CHECKOUT, service="nothing")).freeze is None
        assert shelf.frozen_asked == []

    @pytest.mark.parametrize(
        ("scope", "covers"),
        [
            ("*", True),
            ("cluster:local", True),
            ("owner:team-payments", True),
            ("cluster:far", False),
            ("owner:team-other", False),
        ],
    )
    def test_a_stop_holds_what_it_covers(self, shelf: Shelf, scope: str, covers: bool) -> None:
        shelf.stop(scope)
        expected = Stop(OPS, "an incident", Micros(5)) if covers else None
        assert shelf.book.context(CHECKOUT).stop == expected

    def test_a_stop_of_everything_holds_what_has_no_service_file_any_more_too(self, shelf: Shelf) -> None:
        shelf.stop("*")
        assert shelf.book.context(replace(CHECKOUT, service="nothing")).stop is not None

    def test_drains_ask_for_stops_once_a_second_and_decisions_of_people_each_time(self, shelf: Shelf) -> None:
        for _ in range(3):
            assert shelf.book.context(CHECKOUT, recent=True).stop is None
        shelf.stop("*")
        assert shelf.ledger.stops_asked == 1
        assert shelf.book.context(CHECKOUT, recent=True).stop is None
        shelf.clock.pass_by(STALE_AFTER)
        assert shelf.book.context(CHECKOUT, recent=True).stop is not None
        shelf.ledger.lift_stop("*")
        assert shelf.book.context(CHECKOUT).stop is None

    def test_a_paused_target_is_stopped_by_whoever_has_its_routes(self, shelf: Shelf) -> None:
        shelf.stop("*")
        stop = shelf.book.context(replace(CHECKOUT, paused="olga: incident 7: the routes are mine")).stop
        assert stop == Stop(OLGA, "the routes are in hand: incident 7: the routes are mine", shelf.clock.at)


def test_it_does_not_grow_with_what_was_applied_before_nor_with_names_that_somebody_made_up() -> None:
    shelf = Shelf()
    for seconds in range(2, 6):
        shelf.apply(tick=f"{seconds}s")
        assert shelf.book.fresh("checkout") is not None
    for number in range(2 * MADE_UP):
        assert shelf.book.fresh(f"made-up-{number}") is None
    assert len(shelf.book._entries) == 1
    assert len(shelf.book._recent) <= 1 + MADE_UP
    parsed = shelf.parsed
    assert shelf.book.fresh("checkout") is not None
    assert shelf.parsed == parsed


KUBERNETES: Mapping[str, Any] = {"cluster": "prod", "namespace": "shop", "workload": {"deployment": "checkout"}}
PROD = Target(TargetId("checkout@prod"), "checkout", "prod")


class TestAFileThatCannotBeUsedAnyMore:
    """A newer server asks more of it, or the server's configuration offers less: nothing new begins. What runs goes on,
    and finds its way back."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"strategies": [{"canary": {"steps": ["5%"], "setps": ["1%"]}}]},
            {"strategies": [{"canary": {"steps": ["25%"]}}, {"canary": {"steps": ["5%"]}}]},
            {"gates": {"errors": {"ratio": 7}}},
            {"notify": {"slack": 7}},
            {"made_up": 1},
        ],
        ids=["a key", "a chain", "a gate", "a channel", "a section"],
    )
    def test_it_still_says_where_the_service_lives_and_what_holds_it(
        self, shelf: Shelf, changes: Mapping[str, Any]
    ) -> None:
        shelf.apply(**KUBERNETES, **changes)
        entry = shelf.book.fresh("checkout")
        assert entry is not None
        assert entry.plan is None
        assert entry.broken
        assert shelf.book.place(PROD.id).namespace == "shop"
        assert shelf.book.context(PROD).freeze == FREEZE
        shelf.stop("owner:team-payments")
        assert shelf.book.context(PROD).stop is not None

    @pytest.mark.parametrize(
        "changes",
        [
            {"namespace": "Shop!"},
            {"workload": {"deployment": "checkout", "mode": "magic"}},
            {"routes": [{"names": ["a"]}]},
        ],
        ids=["namespace", "workload", "routes"],
    )
    def test_but_not_where_it_is_that_which_is_wrong(self, shelf: Shelf, changes: Mapping[str, Any]) -> None:
        shelf.apply(**{**KUBERNETES, **changes})
        with pytest.raises(Refused, match="does not say where it lives"):
            shelf.book.place(PROD.id)
