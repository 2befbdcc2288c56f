"""One life of a worker that reads hints again: until none is left, or until it is killed where it is told to be.

Run as `python -m tests.integration.reread_worker URL VERSION [POINT]`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from delivery.engine import reread
from delivery.model.ids import SECOND, Micros, TargetId
from delivery.ports.deployer import Found
from delivery.ports.rows import InboxState
from tests.integration.engine_fleet import CLUSTER, Fleet
from tests.integration.fence_worker import RealTime

POINTS = ("before accept", "after accept", "before update_delivery", "after update_delivery")


def main(url: str, version: str, point: str = "") -> None:
    reread.LEASE = Micros(SECOND)  # so long whoever died is waited for, and more than this call takes
    fleet = Fleet(url, RealTime())
    facts = {"application": "checkout", "version": version}
    fleet.deployer.there[TargetId(f"checkout@{CLUSTER}")] = Found(facts)
    when, _, call = point.partition(" ")
    if call:
        place: Any = fleet.inbox if call == "accept" else fleet.ledger
        setattr(place, call, _dying(getattr(place, call), before=when == "before"))
    while fleet.ledger.inbox(InboxState.PENDING, 1):
        fleet.rereader.run(10.0)
        time.sleep(0.05)
    fleet.close()


def _dying(call: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    def instead(*arguments: Any) -> None:
        if not before:
            call(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return instead


if __name__ == "__main__":
    main(*sys.argv[1:])
