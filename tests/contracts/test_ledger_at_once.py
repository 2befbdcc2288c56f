"""Two that write at once: nobody is turned away because of the other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.model.ids import Micros, ReleaseId, target_id
from delivery.model.record import Entry, RecordKind
from delivery.ports.errors import Unavailable
from delivery.ports.rows import Alert, Result, Unit, Wake
from delivery.testing.contracts.ledger_values import (
    ALICE,
    START,
    Story,
    committed,
    created,
    delivery,
    outcome,
    row,
    stored_row,
    unit,
)
from tests.postgres import new_database

T = target_id("checkout", "local")


def alert(text: str) -> Unit:
    return Unit(alerts=(Alert(START, "test", "x", text),))


def test_two_that_are_sent_the_same_deliveries_in_another_order_wait_for_each_other_once(
    ledger: SqlLedger, url: str
) -> None:
    """A sender that repeats itself reaches two replicas at once. Each delivery is stored by one of them."""
    other = SqlLedger(url, fold)
    created(ledger, row())
    ready = Barrier(2, timeout=30)

    def commit(of: SqlLedger, units: list[Unit]) -> list[Result]:
        ready.wait()
        return outcome(of, *units)

    def came(key: str) -> Unit:
        return Unit(inbox=(delivery(key),))

    with ThreadPoolExecutor(2) as threads:
        for turn in range(20):
            keys = [f"{turn}-{number:02}" for number in range(40)]
            forth, back = [came(key) for key in keys], [came(key) for key in reversed(keys)]
            if turn % 2:  # something moved: each unit is tried for itself
                forth.append(Unit(target=T, expect=99, wake=Wake(START, "moved")))
                back.insert(0, Unit(target=T, expect=99, wake=Wake(START, "moved")))
            first, second = threads.submit(commit, ledger, forth), threads.submit(commit, other, back)
            done = [dict(zip(keys, first.result(), strict=False)), dict(zip(keys, second.result()[::-1], strict=False))]
            assert all({one[key] for one in done} == {Result.DONE, Result.CONFLICT} for key in keys)
    other.close()


_IN_THE_WAY = """
CREATE SEQUENCE tries;
CREATE FUNCTION in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('tries') <= 3 OR NEW.detail = 'never' THEN
    RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER in_the_way BEFORE INSERT ON alert FOR EACH ROW EXECUTE FUNCTION in_the_way();
"""


def test_a_transaction_that_the_database_took_back_is_tried_again(postgres_server: str) -> None:
    with new_database(postgres_server) as url:
        upgrade(url)
        ledger = SqlLedger(url, fold)
        with ledger._database.write() as connection:
            connection.exec_driver_sql(_IN_THE_WAY)
        assert outcome(ledger, alert("before"), alert("after")) == [Result.DONE, Result.DONE]
        assert [each.detail for each in ledger.alerts(9)] == ["after", "before"]
        with pytest.raises(Unavailable, match="deadlock detected"):
            ledger.commit([alert("never")])
        assert len(ledger.alerts(9)) == 2
        ledger.close()


def test_what_two_record_at_once_is_one_chain(ledger: SqlLedger, url: str) -> None:
    """An admin says that the history was exported while a worker takes releases away, or a second admin does."""
    other, ready = SqlLedger(url, fold), Barrier(2, timeout=30)

    def record(of: SqlLedger, turn: int) -> int:
        ready.wait()
        return of.record(Entry(RecordKind.EXPORTED, {"until": turn}, by=ALICE)).n

    with ThreadPoolExecutor(2) as threads:
        made = [
            one.result() for turn in range(10) for one in [threads.submit(record, of, turn) for of in (ledger, other)]
        ]
    found = ledger.records()
    assert sorted(made) == [one.n for one in found] == list(range(1, 21))
    assert [one.prev for one in found[1:]] == [one.hash for one in found[:-1]]
    other.close()


def test_two_that_take_the_same_releases_away_record_each_once(ledger: SqlLedger, url: str) -> None:
    other, ready = SqlLedger(url, fold), Barrier(2, timeout=30)
    created(ledger, row())
    ids = [ReleaseId(f"rel_{number:02}") for number in range(1, 9)]
    for number, release in enumerate(ids, 1):
        story = Story(T, release, number).started().cancelled()
        committed(ledger, unit(stored_row(ledger, T), story, active=None, last=release))

    def drop(of: SqlLedger) -> int:
        ready.wait()
        return of.drop_releases(Micros(START + 1), 100).rows

    with ThreadPoolExecutor(2) as threads:
        rows = [one.result() for one in [threads.submit(drop, of) for of in (ledger, other)]]
    assert sorted(rows) == [0, 7]
    assert [one.subject for one in ledger.records()] == ids[:-1]
    other.close()
