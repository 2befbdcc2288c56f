"""One bad row and its batch, on the real databases: it is taken out alone, with an alert, and can be taken back."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from delivery.adapters.ledger.sql import upgrade
from delivery.model.event import Phase
from delivery.model.ids import Principal
from delivery.model.signal import Abort
from delivery.ports.rows import Result, Unit
from tests.integration.engine_fleet import Fleet, Time

NAMES = [f"service-{number:02}" for number in range(16)]
RAISES, REFUSED = NAMES[5], NAMES[10]


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


@pytest.fixture
def fleet(url: str) -> Iterator[Fleet]:
    upgrade(url)
    made = Fleet(url, Time(), strategies=[{"canary": {"steps": ["20%", "50%"], "bake": "40s"}}])
    made.serve(*NAMES)
    made.release(*NAMES)
    made.until_baking(*NAMES)
    yield made
    made.close()


def sql(url: str, statement: str, **values: object) -> None:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(statement), values)
    finally:
        engine.dispose()


def break_gate(fleet: Fleet, name: str) -> None:
    """Leaves a state that the gate's own code cannot read."""
    measuring = fleet.ledger.measuring(fleet.running(name).id)
    assert measuring is not None
    state = measuring.gates["errors"]
    assert isinstance(state, dict)
    broken = replace(measuring, gates={"errors": {"form": state["form"], "stage": state["stage"]}})
    assert [done.result for done in fleet.ledger.commit([Unit(measuring=broken)])] == [Result.DONE]


def occupy_first_segment(fleet: Fleet, url: str, name: str) -> None:
    """The place of the release's first segment of ticks is taken: the database refuses the commit that brings it."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO segment (release, first, hash, ticks) VALUES (:release, 1, '', :ticks)"),
                {"release": fleet.running(name).id, "ticks": b"[]"},
            )
    finally:
        engine.dispose()


def test_one_that_raises_and_one_that_is_refused_spoil_no_other_and_can_be_taken_back(fleet: Fleet, url: str) -> None:
    assert {fleet.weight(name) for name in NAMES} == {20}
    break_gate(fleet, RAISES)
    occupy_first_segment(fleet, url, REFUSED)
    bad = (RAISES, REFUSED)
    fleet.go(100)
    assert {fleet.running(name).phase for name in NAMES if name not in bad} == {Phase.PROMOTED}
    assert [(fleet.weight(name), fleet.running(name).phase) for name in bad] == [(20, Phase.BAKING)] * 2
    assert all(fleet.row(name).quarantined for name in bad)
    alerts = [alert.subject for alert in fleet.ledger.alerts(99) if alert.kind == "quarantined"]
    assert sorted(alerts) == [f"{name}@local" for name in sorted(bad)]
    for name in bad:
        assert fleet.say(fleet.running(name).id, Abort(Principal("bob"), "it is stuck")).outcome == "signal"
    fleet.go(5)
    assert [(fleet.weight(name), fleet.running(name).phase) for name in bad] == [(0, Phase.ROLLED_BACK)] * 2
