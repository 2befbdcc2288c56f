"""Port: who else puts versions into a cluster, such as Argo CD. Implemented beside adapters/workloads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from delivery.model.ids import Micros, TargetId
from delivery.model.service import Workload
from delivery.model.standing import Standing
from delivery.model.version import VersionRef
from delivery.ports.workloads import Running


@dataclass(frozen=True, slots=True)
class Found:
    """What is there now. `waits` says what is missing until all of it is there and ready; empty: nothing.

    `facts` are what triggers choose by and make versions of: at least `version` and `image`. `at` is when it was put
    there, by the deployer's own clock; `by` who had it put there, where that is known.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    waits: str = ""
    at: Micros | None = None
    by: str = ""


class Deployer(Protocol):
    """Every call is bounded in time. Raises Unavailable."""

    def find(self, target: TargetId, workload: Workload, hint: Mapping[str, str]) -> Found:
        """What it has put there, read afresh; `hint` has what was said of it, which may be old or wrong.

        Raises Refused where the hint is about nothing of this target.
        """

    def bring(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool], token: str
    ) -> Running:
        """Has the deployer make the owners' own workload run the version; ready once it says that it has. Whether the
        workload itself is ready is not its to say. Idempotent for one `token`.

        `still`, the token and Conflict are as `Workloads.promote` has them. The way back is the same: the version that
        ran before is brought home.
        """

    def stands(self, application: str) -> Standing:
        """How it says that it is, for people: nothing follows from it. Raises Refused where it cannot say."""
