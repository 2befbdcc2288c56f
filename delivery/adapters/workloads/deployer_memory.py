"""Port Deployer in memory: it has put there what it is told."""

from collections.abc import Mapping

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.ports.deployer import Found
from delivery.ports.errors import Refused, Unavailable


class MemoryDeployer:
    """`there` has what is found of each target; `down` makes every call Unavailable. `asked` counts."""

    def __init__(self) -> None:
        self.there: dict[TargetId, Found] = {}
        self.down = False
        self.asked = 0

    def find(self, target: TargetId, workload: Workload, hint: Mapping[str, str]) -> Found:
        self.asked += 1
        if self.down:
            raise Unavailable("the deployer cannot be reached")
        if target not in self.there:
            raise Refused(f"nothing was put there for {target}")
        return self.there[target]
