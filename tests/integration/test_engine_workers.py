"""Two workers, one database, one mesh: a worker that lost its claim in between never writes the route."""

from delivery.adapters.ledger.sql import upgrade
from delivery.adapters.mesh.memory import MemoryMesh
from delivery.model.event import Phase
from delivery.model.ids import Principal, TargetId
from delivery.model.signal import Abort
from delivery.model.version import Backend
from delivery.ports.mesh import Live, Route, Stamp
from tests.integration.engine_fleet import Fleet, Time

NAME = "checkout"


class Interrupted(MemoryMesh):
    """Before the next write lands, something else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile = lambda: None
        self.landed: list[int] = []

    def write(self, route: Route, stamp: Stamp, expect: str) -> Live:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        live = super().write(route, stamp, expect)
        self.landed.append(route.traffic.weight)
        return live

    def withdraw(self, target: TargetId, backend: Backend) -> None:
        """Backends stay: a write that names one that is gone would be refused for that reason alone."""


def test_a_write_that_was_overtaken_by_another_worker_does_not_land(tmp_path) -> None:
    url, time, mesh = f"sqlite:///{tmp_path}/delivery.db", Time(), Interrupted()
    upgrade(url)
    slow, quick = Fleet(url, time, mesh), Fleet(url, time, mesh)
    try:
        slow.serve(NAME)
        slow.release(NAME)
        release = slow.running(NAME).id

        def overtaken() -> None:
            """The slow one hangs past its lease; a person aborts, and the quick one takes the target over."""
            time.go(60)
            quick.say(release, Abort(Principal("bob"), "errors"))
            quick.go(5)

        mesh.meanwhile = overtaken
        slow.go(3)
        slow.go(20)
        quick.go(20)
        assert set(mesh.landed) == {0}, "what the slow one had decided before landed after the abort"
        assert slow.running(NAME).phase in (Phase.CANCELLED, Phase.ROLLED_BACK)
    finally:
        slow.close()
        quick.close()
