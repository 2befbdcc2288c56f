"""Port: what runs. Implemented by adapters/workloads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import TargetId
from delivery.model.service import Workload
from delivery.model.version import Endpoint, VersionRef


@dataclass(frozen=True, slots=True)
class Need:
    """What a version must be able to do. `share`: the percent of the traffic that it must be able to carry.

    `home`: it is the one in its owners' own workload, which we never make nor change here: it is looked at, and what
    it carries may not shrink.

    `known`: it is known to be ready for this, so that only a change would be news. An adapter that observes what runs
    may then answer "still ready" without asking. `by` is the release that needs it: a version that another one used
    before is marked anew, so that whoever was about to take it away fails.
    """

    home: bool = False
    share: int = 100
    known: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """`ready` only if it answers, and can carry what it is needed for. `failing` says why waiting will not help;
    `looked_for` what was looked for, and what was found instead: `Deployment checkout to run 1.4.1, it runs 1.4.0`.

    `endpoints` are addresses of instances, or of one Service before them. `answers`: not ready for all of that, and
    yet not every instance is gone.
    """

    ready: bool
    endpoints: tuple[Endpoint, ...] = ()
    failing: str | None = None
    looked_for: str = ""
    answers: bool = False


EVERYTHING = Need()


def always() -> bool:
    """Nobody else can have taken the target over."""
    return True


class Workloads(Protocol):
    """Every call is bounded in time and returns the state at once: none waits for readiness. Raises Unavailable."""

    def ensure(self, target: TargetId, workload: Workload, version: VersionRef, need: Need = EVERYTHING) -> Running:
        """Starts the version where it does not run and is ours to start, and sizes it for its share. Idempotent.

        One that is needed at home is never started: it is ready if its owners' workload runs this very version. A
        copy (`version.is_copy`) is one of stable: of what its owners have run now, of the same image and configuration,
        and of nothing else of theirs a part (no Service, autoscaler or budget of theirs counts it in).
        """

    def look(self, target: TargetId, workload: Workload, version: VersionRef, *, home: bool = False) -> Running:
        """As ensure, but starts and sizes nothing."""

    def retire(
        self, target: TargetId, workload: Workload, version: VersionRef, still: Callable[[], bool] = always
    ) -> None:
        """Lets ours end its requests, then stops it; its owners' own workload is not touched. Idempotent.

        `still` is asked between reading and stopping what was read. Raises Conflict where it says no, Unavailable while
        it still ends its requests, or is needed again: then it is to be asked again.
        """

    def current(self, target: TargetId, workload: Workload, candidate: VersionRef | None = None) -> VersionRef | None:
        """What its owners have run now: that is what is stable. None where nothing of theirs runs. Where they keep a
        workload for each version, the `candidate` may be there already, and is not it.

        Raises Refused where their workload is missing and needed, or cannot be released this way: with what was looked
        for.
        """

    def promote(
        self,
        target: TargetId,
        workload: Workload,
        version: VersionRef,
        still: Callable[[], bool] = always,
        token: str = "",
    ) -> Running:
        """Makes the owners' own workload run the version; ready once all of it does. Idempotent for one `token`.

        `still` is asked between reading the workload and writing it, expecting what was read: nothing is written where
        it says no. Raises Conflict then, and where somebody else wrote in between. A new token is written also where
        the version runs already: then what was decided before it, and arrives late, expects what is no more.
        """

    def rest(self, target: TargetId, workload: Workload) -> None:
        """No release needs more than the usual any more: what was kept from shrinking may shrink again. Idempotent."""
