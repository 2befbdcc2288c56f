"""What only a database can do wrong: its own clock, its refusals, its silence, what another version left in it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import make_dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import GenericAlias

import pytest
from sqlalchemy import Engine, event, select, text, update

from delivery.adapters.ledger.sql import SqlLedger, engine, upgrade
from delivery.adapters.ledger.sql.measured import ticks_from
from delivery.adapters.ledger.sql.shape import shape
from delivery.adapters.ledger.sql.tables import RELEASE, SEGMENT, STOP
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND, Micros, ReleaseId, target_id
from delivery.model.release import Bound, Release
from delivery.model.shares import MOST
from delivery.model.verdict import Tick
from delivery.ports.errors import Unavailable
from delivery.ports.rows import Alert, InboxState, Measuring, Result, Segment, StopOrder, Unit, Wake
from delivery.testing.contracts.ledger_values import (
    ALICE,
    START,
    Story,
    begin,
    created,
    delivery,
    measured,
    outcome,
    row,
    stored_row,
)

T = target_id("checkout", "local")
R1 = ReleaseId("rel_01")


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to databases meanwhile."""
    seen: list[str] = []

    def sent(_: object, __: object, statement: str, *more: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", sent)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", sent)


def alert(text: str) -> Unit:
    return Unit(alerts=(Alert(START, "test", "x", text),))


def test_leases_go_by_the_database_s_own_clock(ledger: SqlLedger) -> None:
    created(ledger, row(due_at=Micros(1)))
    before = time.time_ns() // 1000
    assert before - 2 * SECOND < ledger.now() < before + 10 * SECOND
    assert ledger.claim(["local"], "w1", Micros(50_000), 9) == (T,)
    assert before + 50_000 - 2 * SECOND < stored_row(ledger, T).lease_until < before + 10 * SECOND
    deadline = time.monotonic() + 10
    while not ledger.claim(["local"], "w2", Micros(SECOND), 9):
        assert time.monotonic() < deadline
    assert ledger.now() > before + 50_000 - 2 * SECOND
    assert ledger.lateness(["local"])[0] == 0
    ledger.beat("w1", "")
    assert abs(ledger.workers()["w1"] - ledger.now()) < 10 * SECOND


def test_the_time_goes_on_inside_a_transaction(ledger: SqlLedger) -> None:
    database = ledger._database
    with database.write() as connection:
        first = connection.execute(select(database.now())).scalar_one()
        deadline = time.monotonic() + 10
        while connection.execute(select(database.now())).scalar_one() <= first:
            assert time.monotonic() < deadline


def test_what_json_does_not_have_is_refused_alone(ledger: SqlLedger) -> None:
    first = measured(Measuring(R1))
    odd = replace(first, gates={"errors": float("nan")})
    huge = replace(first, release=ReleaseId("rel_02"), tick=2**70)
    lone = alert("\ud800")
    good = measured(Measuring(ReleaseId("rel_03")))
    units = [Unit(measuring=odd), Unit(measuring=huge), lone, Unit(measuring=good)]
    assert outcome(ledger, *units) == [Result.POISON, Result.POISON, Result.POISON, Result.DONE]
    assert ledger.measuring(good.release) == good
    assert outcome(ledger, Unit(measuring=first)) == [Result.DONE]


def test_what_the_database_cannot_hold_is_refused_alone(ledger: SqlLedger) -> None:
    results = outcome(ledger, alert("before"), alert("a\x00b"), alert("after"))
    postgres = not ledger._database.sqlite
    assert results == [Result.DONE, Result.POISON if postgres else Result.DONE, Result.DONE]
    assert {each.detail for each in ledger.alerts(9)} == {"before", "after"} | (set() if postgres else {"a\x00b"})


def test_a_database_in_trouble_condemns_no_unit(url: str, tmp_path: Path) -> None:
    """Nothing was migrated, or nothing answers: the units are as good as before."""
    unready = SqlLedger(url, fold)
    nowhere = SqlLedger(f"sqlite:///{tmp_path}/no/such/folder/ledger.db", fold)
    silent = SqlLedger(f"postgresql+psycopg://postgres@/postgres?host={tmp_path}", fold)
    for ledger in (unready, nowhere, silent):
        with pytest.raises(Unavailable, match="the database: "):
            ledger.commit([alert("x")])
        with pytest.raises(Unavailable):
            ledger.load([T])
        ledger.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x"])
def test_another_kind_of_database_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="the ledger needs"):
        SqlLedger(url, fold)


def test_who_waits_too_long_for_a_lock_is_told(ledger: SqlLedger, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    created(ledger, row())
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(engine, "STATEMENT_SECONDS", 1)
    other = SqlLedger(url, fold)
    with ledger._database.write() as connection:
        connection.execute(text("UPDATE target SET due_why = 'locked'"))
        with pytest.raises(Unavailable):
            other.commit([Unit(target=T, wake=Wake(None, "waits"))])
    assert outcome(other, Unit(target=T, wake=Wake(None, "free"))) == [Result.DONE]
    other.close()


def test_a_writer_on_sqlite_has_the_lock_from_its_first_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its first write fails at once, whatever the timeout, where somebody else wrote after that read."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    upgrade(url)
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    first, second = SqlLedger(url, fold), SqlLedger(url, fold)
    with first._database.write() as connection:
        connection.execute(select(STOP)).all()
        with pytest.raises(Unavailable, match="locked"):
            second.put_stop(StopOrder("*", ALICE, "incident", START))
        connection.execute(text("DELETE FROM stop"))
    first.close()
    second.close()


def test_a_reader_sees_one_state_and_waits_for_nobody(ledger: SqlLedger, url: str) -> None:
    other = SqlLedger(url, fold)
    with ledger._database.read() as connection:
        assert connection.execute(select(STOP)).all() == []
        other.put_stop(StopOrder("*", ALICE, "incident", START))
        assert connection.execute(select(STOP)).all() == []
    assert len(ledger.stops()) == 1
    with other._database.write() as writing:
        writing.execute(text("DELETE FROM stop"))
        assert len(ledger.stops()) == 1
    assert ledger.stops() == ()
    other.close()


def test_a_snapshot_of_another_version_is_folded_anew(ledger: SqlLedger, url: str) -> None:
    created(ledger, row())
    story = Story(T, R1).started()
    begin(ledger, story)
    with ledger._database.write() as connection:
        connection.execute(update(RELEASE).values(shape="of another version", body=b'{"no":"field of ours"}'))
    fresh = SqlLedger(url, fold)
    assert fresh.load([T])[T].releases == {R1: story.stored}
    assert fresh.release(R1) == story.stored
    fresh.close()


def test_a_release_is_read_once_for_each_change_of_it(ledger: SqlLedger, url: str) -> None:
    """Whoever wrote it last, and whoever has read it, finds by its head that there is nothing new."""
    created(ledger, row())
    story = Story(T, R1).started()
    begin(ledger, story)
    other = SqlLedger(url, fold)
    with statements() as seen:
        for reader in (ledger, other, other):
            assert reader.load([T])[T].releases == {R1: story.stored}
    assert len([one for one in seen if "release.body" in one]) == 1
    other.close()


def test_a_list_of_deliveries_asks_for_no_bodies(ledger: SqlLedger) -> None:
    assert outcome(ledger, Unit(inbox=(delivery("a"),))) == [Result.DONE]
    with statements() as seen:
        assert [one.key for one in ledger.inbox_heads(InboxState.DONE, 9)] == ["a"]
    assert [one for one in seen if "inbox" in one]
    assert not [one for one in seen if "body" in one or "answer" in one]


def test_a_long_release_is_summed_up_once_and_then_only_what_is_new(
    ledger: SqlLedger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open page looks every few seconds, whether its release lasts minutes or a week."""
    decoded: list[int] = []

    def counted(body: bytes) -> tuple[Tick, ...]:
        ticks = ticks_from(body)
        decoded.append(len(ticks))
        return ticks

    for module in ("ticks", "measured"):
        monkeypatch.setattr(f"delivery.adapters.ledger.sql.{module}.ticks_from", counted)
    measuring = Measuring(R1)

    def measure(number: int) -> None:
        nonlocal measuring
        for _ in range(number):
            measuring = measured(measuring)
            segments: tuple[Segment, ...] = ()
            if len(measuring.ticks) == 8:
                segments = (Segment(R1, measuring.ticks[0].number, measuring.ticks, measuring.evidence),)
                measuring = replace(measuring, ticks=())
            assert outcome(ledger, Unit(measuring=measuring, segments=segments)) == [Result.DONE]

    measure(1000)
    reader = SqlLedger(url, fold)
    first = reader.shares(R1)
    assert (first.number, sum(decoded), len(first.spans) <= MOST) == (1000, 1000, True)
    decoded.clear()
    with statements() as seen:
        assert reader.shares(R1) == first
    assert (decoded, len([one for one in seen if one.startswith("SELECT")])) == ([], 2)
    measure(12)
    assert reader.shares(R1).number == 1012
    assert decoded == [8, 4]
    assert ledger.shares(R1) == reader.shares(R1)
    decoded.clear()
    assert [tick.number for tick in reader.ticks(R1, 990, 4)] == [991, 992, 993, 994]
    assert len(decoded) <= 3
    with ledger._database.write() as connection:
        connection.execute(SEGMENT.delete())
    assert reader.shares(R1).number == 4, "retention took the rest away"
    reader.close()


def test_the_shape_of_a_snapshot_tells_every_field_that_it_can_hold() -> None:
    """Of a release, of what it holds, of what that holds in tuples and mappings; and the values of its enums."""

    def outer(inner: object) -> str:
        return shape(make_dataclass("Outer", [("x", GenericAlias(dict, (str, GenericAlias(tuple, (inner, ...)))))]))

    inner: list[object] = [make_dataclass("Inner", []), make_dataclass("Inner", [("a", int)])]
    inner += [make_dataclass("Inner", [("a", str)]), StrEnum("Inner", {"A": "a"}), StrEnum("Inner", {"A": "b"})]
    assert len({outer(each) for each in inner}) == len(inner)
    assert outer(make_dataclass("Inner", [("a", int)])) == outer(inner[1])
    assert shape(Release) != shape(Bound)


def test_the_database_itself_keeps_a_second_release_from_running(ledger: SqlLedger) -> None:
    created(ledger, row())
    begin(ledger, Story(T, R1).started())
    second = "INSERT INTO release SELECT 'rel_02', {} FROM release"
    names = [column.name for column in RELEASE.c if column.name != "id"]
    with pytest.raises(Exception, match="the database refuses it"), ledger._database.write() as connection:
        connection.execute(text(second.format(", ".join(names))))


def test_sqlite_is_durable_and_checks_references(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    upgrade(url)
    ledger = SqlLedger(url, fold)
    with ledger._database.read() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert (*found, connection.exec_driver_sql("PRAGMA foreign_keys").scalar()) == ("wal", 2, 1)
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_closed_ledger_opens_again(ledger: SqlLedger) -> None:
    created(ledger, row())
    ledger.close()
    ledger.close()
    assert ledger.targets("checkout") == (T,)
