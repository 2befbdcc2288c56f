"""What is performed, and what came of it."""

from dataclasses import dataclass, field

from delivery.engine.cluster import Cluster
from delivery.model.effect import Effect
from delivery.model.ids import Micros, TargetId
from delivery.model.release import Release
from delivery.model.service import Workload
from delivery.model.signal import Signal
from delivery.model.version import Backend, Endpoint
from delivery.ports.errors import Refused
from delivery.ports.rows import Row


@dataclass(frozen=True, slots=True)
class Task:
    """An effect with all that performing it needs. `observed` is the live content, where it is known.

    `outage`: the last that was told of the mesh is that it fails. `now` is the time at the beginning of the round.
    """

    effect: Effect
    cluster: Cluster
    row: Row
    release: Release | None
    head: str
    workload: Workload | None
    observed: str | None = None
    correct: bool = True
    outage: bool = False
    now: Micros = Micros(0)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `later`: nothing more to be had from this effect in this drain; `lost`: give the target up.

    `overtaken`: the route is not as our last write left it, so nothing can be proven of that. `paused`: nothing was
    written, because of whom. `refused`: why what is left over could not be taken away. `times`:
    when the call began and ended, where somebody asks.
    """

    signals: tuple[Signal, ...] = ()
    row: Row | None = None
    later: bool = False
    lost: bool = False
    overtaken: bool = False
    foreign: str = ""
    paused: str | None = None
    retired: bool = False
    refused: str = ""
    missing: tuple[str, ...] = field(default=())
    times: tuple[Micros, Micros] | None = None


class Published:
    """What this process has published last, so that a version that stays where it is costs no call."""

    def __init__(self) -> None:
        self._known: dict[tuple[TargetId, str, bool], tuple[Endpoint, ...]] = {}

    def ensure(self, task: Task, backend: Backend, endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether the proxies know the backend at these addresses. A release that is not ready yet always asks, and
        one that is on its way home: what was known may have been withdrawn since, by whichever process.
        """
        key = (task.row.target.id, backend.version.identity, backend.home)
        release = task.release
        begins = (
            release is None
            or not release.ready
            or _new_copy(backend, release)
            or (backend.home and backend.version == release.candidate)
        )
        if not begins and self._known.get(key) == endpoints:
            return True
        done = task.cluster.mesh.publish(task.row.target.id, backend, endpoints)
        if done:
            self._known[key] = endpoints
        return done


def _new_copy(backend: Backend, release: Release) -> bool:
    return backend.version.is_copy and release.baseline is None


def workload_of(task: Task) -> Workload:
    """What runs there. Raises Refused where its service file is not usable any more."""
    if task.workload is None:
        raise Refused(f"{task.row.target.service} has no usable service file any more")
    return task.workload
