"""A new installation over live routes, from an old backup or from the service file alone: nothing moves by itself."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.ledger.sql import upgrade
from delivery.model.codec import digest
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import Principal, TargetId, target_id
from delivery.model.signal import Abort, Resume
from delivery.model.target import Target
from delivery.model.version import VersionRef
from delivery.ports.rows import Row, ServiceRecord
from tests.integration.engine_fleet import CANDIDATE, CLUSTER, NOW, Fleet, Time

NAME = "shop"
TARGET = TargetId(f"{NAME}@{CLUSTER}")
FILE: Any = {
    "workload": {"process": NAME, "rollback_window": "5s"},
    "strategies": [{"canary": {"steps": ["10%", "30%", "60%"], "bake": "10s"}}],
}
GO_ON = Resume(Principal("bob"), "looked", holds=(HoldKind.HISTORY_LOST,), admin=True)


class Lost:
    """The first installation, which does not come back; the mesh lives on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.time = Time()
        upgrade(self._url("first"))
        self.first = Fleet(self._url("first"), self.time, **FILE)
        self.first.serve(NAME)
        self._made = [self.first]

    def _url(self, name: str) -> str:
        return f"sqlite:///{self._folder}/{name}.db"

    def backup(self) -> None:
        with (
            closing(sqlite3.connect(self._folder / "first.db")) as source,
            closing(sqlite3.connect(self._folder / "second.db")) as kept,
        ):
            source.backup(kept)

    def comes_to(self, weight: int) -> None:
        while self.first.weight(NAME) != weight:
            self.first.go(1)
        self.first.until_baking(NAME)

    def restored(self) -> Fleet:
        """A worker over the backup, or over an empty database with the service file applied."""
        found = Fleet(self._url("second"), self.time, self.first.mesh, **FILE)
        self._made.append(found)
        return found

    def from_files(self) -> Fleet:
        upgrade(self._url("second"))
        found = self.restored()
        document = {"service": NAME, "cluster": CLUSTER, "tick": "1s", **FILE}
        found.ledger.put_service(ServiceRecord(NAME, document, digest(document), 1, NOW, Principal("olga")))
        found.ledger.create_target(Row(Target(target_id(NAME, CLUSTER), NAME, CLUSTER), due_why="the first release"))
        return found

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Lost]:
    made = Lost(tmp_path)
    try:
        yield made
    finally:
        made.close()


def stays(fleet: Fleet, weight: int, seconds: int = 40) -> None:
    """Longer than a stage bakes."""
    before = fleet.mesh.read(TARGET)
    fleet.go(seconds)
    assert fleet.weight(NAME) == weight
    assert fleet.mesh.read(TARGET) == before


def ends(fleet: Fleet, phase: Phase, within: int = 120) -> None:
    for _ in range(within):
        fleet.go(1)
        if fleet.running(NAME).phase is phase:
            return
    raise AssertionError(fleet.running(NAME))


def holds(fleet: Fleet) -> list[HoldKind]:
    return [hold.kind for hold in fleet.running(NAME).holds]


def test_a_backup_from_an_earlier_stage_waits_for_a_person_and_goes_on_from_there(lost: Lost) -> None:
    lost.first.release(NAME)
    lost.comes_to(10)
    lost.backup()
    lost.comes_to(30)
    after = lost.restored()
    stays(after, 30)
    assert holds(after) == [HoldKind.HISTORY_LOST]
    after.say(after.running(NAME).id, GO_ON)
    after.go(2)
    assert (after.weight(NAME), after.running(NAME).stage) == (10, 0)
    assert HoldKind.HISTORY_LOST not in holds(after)
    ends(after, Phase.PROMOTED)


def test_a_backup_from_before_a_promotion_sends_nobody_back_to_what_is_gone(lost: Lost) -> None:
    lost.first.release(NAME)
    lost.comes_to(60)
    lost.backup()
    ended(lost)
    after = lost.restored()
    stays(after, 100)
    after.say(after.running(NAME).id, GO_ON)
    ends(after, Phase.PROMOTED)
    assert after.weight(NAME) == 100


def ended(lost: Lost) -> None:
    while lost.first.running(NAME).phase is not Phase.PROMOTED:
        lost.first.go(1)
    lost.first.go(20)  # what it replaced is retired


def test_a_person_may_take_it_back_instead(lost: Lost) -> None:
    lost.first.release(NAME)
    lost.comes_to(10)
    lost.backup()
    lost.comes_to(30)
    after = lost.restored()
    stays(after, 30)
    after.say(after.running(NAME).id, Abort(Principal("bob"), "from the beginning"))
    ends(after, Phase.ROLLED_BACK)
    assert after.weight(NAME) == 0


@pytest.mark.parametrize("version", ["1.4.2", "1.4.3"])
@pytest.mark.parametrize("take_over", [Lost.restored, Lost.from_files], ids=["backup", "files"])
def test_a_release_that_nobody_remembers_stays_where_it_is(
    lost: Lost, version: str, take_over: Callable[[Lost], Fleet]
) -> None:
    """The next release finds it, and waits for a person before it touches the route."""
    lost.backup()
    lost.first.release(NAME, version=CANDIDATE)
    lost.comes_to(30)
    if take_over is Lost.from_files:
        Path(lost._folder / "second.db").unlink()
    after = take_over(lost)
    stays(after, 30)
    after.release(NAME, version=VersionRef.of(version))
    stays(after, 30)
    assert holds(after) == [HoldKind.HISTORY_LOST]
    after.say(after.running(NAME).id, GO_ON)
    ends(after, Phase.PROMOTED)
    assert after.weight(NAME) == 100
