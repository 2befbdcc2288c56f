"""Port Deployer in memory: it has put there what it is told."""

from collections.abc import Callable, Mapping

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.standing import Standing
from delivery.model.version import VersionRef
from delivery.ports.deployer import Found
from delivery.ports.errors import Conflict, Refused, Unavailable
from delivery.ports.workloads import Running


class MemoryDeployer:
    """`there` has what is found of each target; `down` makes every call Unavailable. `asked` counts.

    `told` is called for every version that it is to bring; `waits` and `broken` are what it says of that.
    """

    def __init__(self) -> None:
        self.there: dict[TargetId, Found] = {}
        self.down = False
        self.asked = 0
        self.told: Callable[[TargetId, VersionRef], None] = lambda target, version: None
        self.waits, self.broken = "", ""
        self.standing = Standing("Application checkout", "Synced", "Healthy")
        self._brought: dict[TargetId, tuple[str, str]] = {}

    def find(self, target: TargetId, workload: Workload, hint: Mapping[str, str]) -> Found:
        self.asked += 1
        if self.down:
            raise Unavailable("the deployer cannot be reached")
        if target not in self.there:
            raise Refused(f"nothing was put there for {target}")
        return self.there[target]

    def bring(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool], token: str
    ) -> Running:
        if self.down:
            raise Unavailable("the deployer cannot be reached")
        if self._brought.get(target) != (version.identity, token):
            if not still():
                raise Conflict(f"somebody else has {target} by now")
            self._brought[target] = (version.identity, token)
            self.told(target, version)
        return Running(not self.waits and not self.broken, failing=self.broken or None, looked_for=self.waits)

    def stands(self, application: str) -> Standing:
        if self.down:
            raise Unavailable("the deployer cannot be reached")
        return self.standing
