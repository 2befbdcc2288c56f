"""The SQL ledger between processes: they claim, write, fork and die."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.model.ids import target_id
from delivery.testing.contracts.ledger_values import created, delivery, row

ROOT = Path(__file__).parents[2]
SOURCE = delivery("x").source


@pytest.fixture
def url(each_database: str) -> str:
    upgrade(each_database)
    return each_database


@pytest.fixture
def ledger(url: str) -> Iterator[SqlLedger]:
    opened = SqlLedger(url, fold)
    yield opened
    opened.close()


def start(task: str, url: str, argument: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "tests.contracts.ledger_process", task, url, argument]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output.split()


def test_processes_that_claim_at_once_share_no_target(url: str, ledger: SqlLedger) -> None:
    created(ledger, *(row(f"s{number:03}") for number in range(150)))
    claimed = [finished(process) for process in [start("claim", url, f"w{number}") for number in range(3)]]
    assert sorted(target for part in claimed for target in part) == [f"s{number:03}@local" for number in range(150)]


def test_no_change_is_lost_between_processes(url: str, ledger: SqlLedger) -> None:
    created(ledger, row("a"), row("b"))
    done = [int(finished(process)[0]) for process in [start("increase", url, "60") for _ in range(2)]]
    rows = ledger.load([target_id("a", "local"), target_id("b", "local")]).values()
    assert sum(each.row.target.number for each in rows) == sum(each.row.version for each in rows) == sum(done) >= 120


def test_a_forked_child_has_connections_of_its_own(url: str, ledger: SqlLedger) -> None:
    created(ledger, *(row(name) for name in "abc"))
    assert sorted(finished(start("fork", url, "w1"))) == ["a@local", "b@local", "c@local"]


def test_a_killed_writer_loses_nothing_that_it_acknowledged(url: str, ledger: SqlLedger) -> None:
    acknowledged: list[str] = []
    for life in range(4):
        with start("write", url, f"life-{life}") as writer:
            assert writer.stdout is not None
            try:
                acknowledged += [writer.stdout.readline().strip() for _ in range(40 + 7 * life)]
            finally:
                writer.kill()
            acknowledged += writer.stdout.read().split()
    kept = ledger.deliveries([(SOURCE, key) for key in acknowledged])
    assert {key for _, key in kept} == set(acknowledged)
    alerts = {alert.subject for alert in ledger.alerts(10_000)}
    assert set(acknowledged) <= alerts
    assert len(ledger.deliveries([(SOURCE, key) for key in alerts])) == len(alerts)
