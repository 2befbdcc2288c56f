"""The version that landed before and this one over one database: releases are begun by one and ended by the other."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from delivery.adapters.ledger.sql.engine import Database
from delivery.model.since import READS
from delivery.sandbox.demo.api import ApiError
from tests.upgrade.installation import ROOT, Ground, Installation
from tools.previous import unpack

pytestmark = pytest.mark.timeout(600)
FILE = """\
service: {service}
cluster: local
workload: {{process: demo, rollback_window: 5s}}
tick: 1s
strategies:
  - canary: {{steps: [20%, 50%], bake: 1s, min_requests: 20}}
gates:
  errors: {{ratio: http_errors, dispersion: 1}}
"""


@pytest.fixture
def database(each_database: str) -> str:
    return each_database


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    try:
        yield made
    finally:
        made.close()


class Both:
    """The old version runs, over its own schema; the new one is there and does not run yet."""

    def __init__(self, ground: Ground, database: str) -> None:
        self.ground = ground
        self.old = Installation(ground, "old", database, unpack(ground.folder / "previous"))
        self.new = Installation(ground, "new", database)

    def close(self) -> None:
        self.old.close()
        self.new.close()


@pytest.fixture
def both(ground: Ground, database: str) -> Iterator[Both]:
    made = Both(ground, database)
    try:
        yield made
    finally:
        made.close()


def test_an_upgrade_and_the_way_back_in_the_middle_of_releases(both: Both) -> None:
    old, new = both.old, both.new
    old.migrate()
    old.start("old-worker")
    for service in ("shop", "cart"):
        old.apply(service, FILE.format(service=service))
        old.comes_to(old.deliver(service, "1.4.1"), "promoted")
    with both.ground.users("shop", "cart") as loads:
        begun = old.deliver("shop", "1.4.2")
        old.bakes(begun)
        assert old.weight("shop") == 20

        new.migrate()  # under the running old version
        new.start("new-worker")
        old.end("old-worker")
        new.comes_to(begun, "promoted")

        back = new.deliver("shop", "1.4.3")
        new.bakes(back)
        old.work("old-worker")
        new.end("new-worker")
        old.comes_to(back, "promoted")

        new.work("new-worker")  # both at once, on both services
        made = {service: new.deliver(service, "1.5.0") for service in ("shop", "cart")}
        for service, release in made.items():
            old.comes_to(release, "promoted")
            assert new.weight(service) in (0, 100)
        aborted = old.deliver("cart", "1.6.0")
        new.bakes(aborted)
        new.say(aborted, "abort")
        old.comes_to(aborted, "rolled_back")
        both_moved(both)
    assert [load.counts.failed for load in loads] == [{}, {}]
    nothing_is_wrong(both)
    for release in (begun, back, *made.values(), aborted):
        assert said(old, release) == said(new, release)


def both_moved(both: Both) -> None:
    """Each version's worker took turns, and neither raised."""
    for one, worker in ((both.old, "old-worker"), (both.new, "new-worker")):
        log = one.log(worker)
        assert "moved" in log
        assert "Traceback" not in log, log


def said(one: Installation, release: str) -> tuple[object, ...]:
    found = one.release(release)
    return found["state"], found["finished_at"], found["text"]


def nothing_is_wrong(both: Both) -> None:
    ledger = both.new.ledger()
    try:
        assert ledger.alerts(10) == ()
        assert [row.quarantined for row in ledger.rows()] == [None, None]
    finally:
        ledger.close()
    command = [sys.executable, "-m", "tests.histories.read_stored", both.new.database]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(told)


def test_what_needs_a_newer_version_is_left_alone_and_the_rest_goes_on(ground: Ground, tmp_path: Path) -> None:
    """This version, beside one that wrote what it cannot read, or taken back to from it."""
    one = Installation(ground, "one", f"sqlite:///{tmp_path}/delivery.db")
    try:
        one.migrate()
        one.start("worker")
        for service in ("shop", "cart"):
            one.apply(service, FILE.format(service=service))
            one.comes_to(one.deliver(service, "1.4.1"), "promoted")
        with ground.users("shop", "cart") as loads:
            left = one.deliver("shop", "1.4.2")
            one.bakes(left)
            requires(one.database, "shop", READS + 1)
            before = one.weight("shop")
            one.comes_to(one.deliver("cart", "1.4.2"), "promoted")  # which takes longer than what shop had left
            assert one.weight("shop") == before
            with pytest.raises(ApiError, match="newer version"):
                one.deliver("shop", "1.4.3")
            requires(one.database, "shop", READS)
            one.comes_to(left, "promoted")
        assert [load.counts.failed for load in loads] == [{}, {}]
        assert "Traceback" not in one.log("worker")
    finally:
        one.close()


def requires(url: str, service: str, least: int) -> None:
    database = Database(url)
    try:
        with database.write() as connection:
            statement = text("UPDATE target SET requires = :least, version = version + 1 WHERE service = :service")
            connection.execute(statement, {"least": least, "service": service})
    finally:
        database.close()
