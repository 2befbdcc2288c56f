"""Disaster recovery on real parts: the database is lost, Envoy goes on, and the runbook's commands bring it back."""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upgrade.installation import ROOT, Ground, Installation
from tools.postgres import PACKAGE, postgres

pytestmark = pytest.mark.timeout(600)
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
FILE = """\
service: shop
cluster: local
workload: {process: demo, rollback_window: 5s}
tick: 1s
strategies:
  - canary: {steps: [10%, 30%, 60%], bake: 2s, min_requests: 10}
"""
BACKUP = 'pg_dump --format=custom --file=delivery.dump "$DATABASE"'
RESTORE = 'pg_restore --no-owner --exit-on-error --dbname="$NEW_DATABASE" delivery.dump'
COPY = "python3 -c \"import sqlite3; sqlite3.connect('delivery.db').backup(sqlite3.connect('delivery-backup.db'))\""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    try:
        yield made
    finally:
        made.close()


def said_by_the_runbook(command: str, folder: Path, **names: str) -> None:
    """Runs a command that is in the runbook, as it is there."""
    assert command in RUNBOOK
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    env = {**os.environ, **names, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def libpq(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


class Shop:
    """1.4.1 is stable; 1.4.2 is at 10 % in front of a pause when the backup is made, then at 30 %."""

    def __init__(self, ground: Ground, database: str) -> None:
        self.ground = ground
        self.first = Installation(ground, "first", database)
        self.first.migrate()
        self.first.start("w1")
        self.first.apply("shop", FILE)
        self.first.comes_to(self.first.deliver("shop", "1.4.1"), "promoted")

    def releases(self) -> str:
        release = self.first.deliver("shop", "1.4.2")
        self.first.bakes(release)
        self.first.say(release, "pause")
        assert self.first.weight("shop") == 10
        return release

    def goes_on_and_is_lost(self, release: str) -> None:
        self.first.say(release, "resume", holds=["pause"])
        self.first.bakes(release, stage=1)
        self.first.end("w1", signal.SIGKILL)
        self.first.close()
        assert self.first.weight("shop") == 30


def holds(one: Installation, release: str) -> set[str]:
    return {hold["kind"] for hold in one.release(release)["holds"]}


def waits_for_a_person(one: Installation, release: str) -> None:
    """It is held, and the split stays what it was, for longer than a stage bakes."""
    weights = set()

    def held() -> bool:
        weights.add(one.weight("shop"))
        return "history_lost" in holds(one, release)

    one.until("it is held", held)
    end = time.monotonic() + 6
    one.until("a stage's time and more is over", lambda: held() and time.monotonic() > end)
    assert weights == {30}


def restored(ground: Ground, database: str) -> Installation:
    after = Installation(ground, "after", database)
    after.migrate()
    after.start("w2")
    after.apply("shop", FILE)
    return after


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_from_a_backup_it_takes_over_live_routes_without_moving_them(ground: Ground, tmp_path: Path, kind: str) -> None:
    with postgres() as server, postgres() as empty_server:
        lite = kind == "sqlite"
        shop = Shop(ground, f"sqlite:///{tmp_path}/delivery.db" if lite else server)
        new = f"sqlite:///{tmp_path}/delivery-backup.db" if lite else empty_server
        with ground.users("shop") as loads:
            release = shop.releases()
            if lite:
                said_by_the_runbook(COPY, tmp_path)
            else:
                said_by_the_runbook(BACKUP, tmp_path, DATABASE=libpq(server))
            shop.goes_on_and_is_lost(release)
            if not lite:
                said_by_the_runbook(RESTORE, tmp_path, NEW_DATABASE=libpq(new))
            after = restored(ground, new)
            try:
                waits_for_a_person(after, release)
                assert "history_lost" in str(after.call("GET", f"/v1/releases/{release}/explain"))
                after.say(release, "resume", holds=["history_lost", "pause"])
                after.comes_to(release, "promoted")
                assert after.weight("shop") == 100
            finally:
                after.close()
        assert loads[0].counts.failed == {}


def test_from_the_service_files_alone_nothing_moves_until_a_person_says_so(ground: Ground, tmp_path: Path) -> None:
    """The version that is to be stable is released; held before anything is written, it gets everything."""
    shop = Shop(ground, f"sqlite:///{tmp_path}/delivery.db")
    with ground.users("shop") as loads:
        shop.goes_on_and_is_lost(shop.releases())
        after = restored(ground, f"sqlite:///{tmp_path}/new.db")
        try:
            release = after.deliver("shop", "1.4.1")
            waits_for_a_person(after, release)
            after.say(release, "resume", holds=["history_lost"])
            assert after.comes_to(release, "promoted")["state"] == "promoted"
            after.until("stable has everything", lambda: after.weight("shop") == 100)
        finally:
            after.close()
    assert loads[0].counts.failed == {}
