"""What runs in each cluster of a service file: a process of this machine, or a Deployment in Kubernetes.

Which of the two a cluster can run is up to its adapters in the server's configuration. Below `targets` a cluster has
what is different there: a `namespace`, a `workload` or `routes` takes the place of the whole file's.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from delivery.catalog import places
from delivery.model.fields import Fields
from delivery.model.mistake import one_of, unknown
from delivery.model.place import Mode, Place, Promotion
from delivery.model.service import Workload

PROCESS: Final = "process"
DEPLOYMENT: Final = "deployment"
ANYTHING: Final = frozenset((PROCESS, DEPLOYMENT))
TIMES: Final = ("rollback_window", "appear_within")
_OWN: Final = ("namespace", "workload", "routes")
_PLACED: Final = ("namespace", "routes", "config", "promotion")


@dataclass(frozen=True, slots=True)
class Runs:
    """What a cluster can run, in which namespaces service files may have it run, and who else puts versions there, by
    the names of the server's configuration; None: anything goes. `jobs` are patterns of the Jobs that hooks may run.
    `makes`: pods of ours can be made there, which they cannot where only git is written.
    """

    kinds: frozenset[str] = ANYTHING
    namespaces: Collection[str] | None = None
    deployers: Collection[str] | None = None
    jobs: Collection[str] | None = None
    makes: bool = True


@dataclass(frozen=True, slots=True)
class _Said:
    """What a file says of one cluster: in `own`, its section below `targets`, or of all clusters in `whole`."""

    cluster: str
    whole: Fields
    own: Fields
    runs: Runs
    alone: bool

    def layer(self, key: str) -> Fields:
        """Where a key is to be read."""
        return self.own if key in self.own else self.whole

    @property
    def workload(self) -> Fields:
        return self.layer("workload").sub("workload")

    @property
    def kind(self) -> str:
        named = DEPLOYMENT if DEPLOYMENT in self.workload.keys else PROCESS
        return named if named in self.runs.kinds else next(iter(self.runs.kinds))

    def elsewhere(self, what: str) -> str:
        """The problem of a field that this cluster has no use for."""
        where = f"in {self.cluster}, which runs {what}" if len(self.runs.kinds) == 1 else f"where {what} run"
        otherwise = "" if self.alone else f", or say below targets what runs in {self.cluster}"
        return f"is not available {where}: take it out{otherwise}"


def read_workloads(
    fields: Fields, clusters: Collection[str], runs: Mapping[str, Runs], processes: Collection[str] | None
) -> tuple[Workload, Mapping[str, Workload]]:
    """The first cluster's workload, and those of clusters that have another one; mistakes stay in `fields`.

    A cluster that is not in `runs` can run anything; without `processes` their names are not looked up.
    """
    alone = len(clusters) < 2
    said = [
        _Said(cluster, fields, fields.sub("targets").sub(cluster), runs.get(cluster, Runs()), alone)
        for cluster in clusters or [""]
    ]
    found = {one.cluster: _workload(one, processes) for one in said}
    _check_whole(fields, said, found.values())
    first = next(iter(found.values()))
    return first, {cluster: workload for cluster, workload in found.items() if workload != first}


def _workload(said: _Said, processes: Collection[str] | None) -> Workload:
    if "workload" in said.own:
        said.workload.refuse(TIMES, "is the same in all clusters: say it in the workload of the whole file")
    return _deployment(said) if said.kind == DEPLOYMENT else _process(said, processes)


def _process(said: _Said, processes: Collection[str] | None) -> Workload:
    problem = said.elsewhere("processes")
    said.workload.refuse((DEPLOYMENT, *places.FIELDS), problem)
    said.own.refuse(("namespace", "routes"), problem)
    process = said.workload.name(PROCESS)
    if processes is not None and process and process not in processes:
        expected = f"a process of the server's configuration: {one_of(processes)}"
        said.workload.wrong(PROCESS, f"is {process}, which {unknown(process, processes)}", expected)
    return Workload(PROCESS, process)


def _deployment(said: _Said) -> Workload:
    said.workload.refuse([PROCESS], said.elsewhere("Deployments"))
    place = places.read_place(said.whole, said.workload, said.layer("namespace"), said.layer("routes"))
    allowed = said.runs.namespaces
    if allowed is not None and place.namespace and place.namespace not in allowed:
        problem = f"is {place.namespace}, where service files may have nothing written in {said.cluster}"
        expected = f"{one_of(allowed)} (clusters.{said.cluster}.namespaces of the server's configuration)"
        said.layer("namespace").wrong("namespace", problem, expected)
    _check_promotion(said, place)
    return Workload(DEPLOYMENT, place.deployment, place)


def _check_promotion(said: _Said, place: Place) -> None:
    """A release that nobody can bring home is better not begun."""
    via, known = place.promotion, said.runs.deployers
    if known is not None and via not in (Promotion.PATCH, Promotion.NONE) and via.value not in known:
        problem = f"is {via.value}, which nobody does in {said.cluster}"
        expected = f"[clusters.{said.cluster}.deployers.{via.value}] in the server's configuration"
        said.whole.sub("promotion").wrong("via", problem, expected)


def _check_whole(fields: Fields, said: Collection[_Said], found: Iterable[Workload]) -> None:
    """What the file says for all clusters, and none of them has a use for."""
    on_kubernetes = [workload.place for workload in found if workload.place is not None]
    if not on_kubernetes:
        fields.refuse(_PLACED, next(iter(said)).elsewhere("processes"))
        return
    for key in _PLACED:
        _ = key in fields
    unused = [key for key in _OWN if all(key in one.own for one in said)]
    problem = "is used nowhere: each cluster has its own below targets"
    fields.refuse([key for key in unused if key != "workload"], problem)
    if "workload" in unused:
        section = fields.sub("workload")
        section.refuse([key for key in section.keys if key not in TIMES], problem)
    if "promotion" in fields and not any(place.mode is Mode.CLONE for place in on_kubernetes):
        fields.wrong("promotion", "is about copies that we make of a Deployment", "mode: clone, or no promotion")
