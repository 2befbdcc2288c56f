"""What other processes do to a ledger in the tests: `python -m tests.contracts.ledger_process TASK URL ...`."""

import os
import sys
from dataclasses import replace
from itertools import count

from delivery.adapters.ledger.sql import SqlLedger
from delivery.machine.evolve import fold
from delivery.model.ids import SECOND, Micros, target_id
from delivery.ports.rows import Alert, Result, Unit
from delivery.testing.contracts.ledger_values import START, delivery, stored_row


def claim(ledger: SqlLedger, owner: str) -> None:
    """Claims until nothing is left, and prints what it got."""
    while found := ledger.claim(["local"], owner, Micros(60 * SECOND), 7):
        print(*found, sep="\n", flush=True)


def write(ledger: SqlLedger, name: str) -> None:
    """Commits deliveries, each with an alert in the same unit, and prints each that was acknowledged, for ever."""
    for number in count():
        keys = [f"{name}-{number}-{part}" for part in range(3)]
        units = [Unit(inbox=(delivery(key),), alerts=(Alert(START, "test", key, ""),)) for key in keys]
        assert {each.result for each in ledger.commit(units)} == {Result.DONE}
        print(*keys, sep="\n", flush=True)


def increase(ledger: SqlLedger, times: str) -> None:
    """Raises the number of two targets that many times, both in one batch, and prints how often it was in time."""
    done = 0
    while done < int(times):
        rows = [stored_row(ledger, target_id(service, "local")) for service in ("a", "b")]
        units = [
            Unit(
                target=row.target.id,
                expect=row.version,
                row=replace(row, target=replace(row.target, number=row.target.number + 1)),
            )
            for row in (rows if os.getpid() % 2 else reversed(rows))
        ]
        done += sum(each.result is Result.DONE for each in ledger.commit(units))
    print(done)


def fork(ledger: SqlLedger, owner: str) -> None:
    """Uses the ledger before, in and after a child; prints what each claimed."""
    print(*ledger.claim(["local"], owner, Micros(60 * SECOND), 1), flush=True)
    opened = ledger._database._open()
    child = os.fork()
    if child == 0:
        assert ledger._database._open() is not opened
        print(*ledger.claim(["local"], f"child of {owner}", Micros(60 * SECOND), 1), flush=True)
        ledger.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(*ledger.claim(["local"], owner, Micros(60 * SECOND), 1), flush=True)


TASKS = {task.__name__: task for task in (claim, write, increase, fork)}

if __name__ == "__main__":
    opened = SqlLedger(sys.argv[2], fold)
    try:
        TASKS[sys.argv[1]](opened, sys.argv[3])
    finally:
        opened.close()
