"""What a cluster's tables choose from: meshes, workloads, who else puts versions there, Jobs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery.catalog.workloads import ANYTHING, DEPLOYMENT, PROCESS
from delivery.ports.deployer import Deployer
from delivery.ports.hooks import Hooks
from delivery.ports.mesh import Mesh
from delivery.ports.workloads import Workloads
from delivery.registry.surroundings import Surroundings


def _envoy_mesh(around: Surroundings, *, directory: str, admin: list[str], binary: str = "envoy") -> Mesh:
    """`directory` is what Envoy watches, `admin` has each proxy's admin address, `binary` validates."""
    from delivery.adapters.mesh.envoy.adapter import EnvoyMesh
    from delivery.adapters.mesh.envoy.admin import Admin
    from delivery.adapters.mesh.envoy.files import Files
    from delivery.adapters.mesh.envoy.validate import Validator

    return EnvoyMesh(around.cluster, Files(Path(directory)), [Admin(address) for address in admin], Validator(binary))


def _istio_mesh(
    around: Surroundings,
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    gateways: Mapping[str, Any] | None = None,
    istiod: Mapping[str, Any] | None = None,
    istiod_token: str | None = None,
    **options: Any,
) -> Mesh:
    """Without `kubeconfig` it is the cluster that we run in. `gateways` has a table for each Gateway object, by its
    NAMESPACE/NAME: `addresses`, or `pods` (a label selector) and `port`; perhaps `tls`. So has `istiod`, whose token is
    in the file `istiod_token`. Options: with `trace_tags` spans of the candidate's sidecars tell the release; `git` has
    the fields of `git.configured.objects`: its files are written, and nothing in the cluster."""
    from delivery.adapters.mesh.istio.configured import make_mesh

    where, access = around.cluster, (kubeconfig, context)
    asked = (istiod, istiod_token)
    return make_mesh(where, around.locate, access, gateways or {}, asked, **options)


def _memory_mesh(around: Surroundings, *, proxies: int = 1) -> Mesh:
    from delivery.adapters.mesh.memory import MemoryMesh

    return MemoryMesh(proxies)


def _process_workloads(around: Surroundings, *, state: str, owner: int | None = None) -> Workloads:
    """`state` is a directory that all workers of the machine share; without process `owner` nothing is to run."""
    from delivery.adapters.workloads.process import Command, ProcessWorkloads

    commands = {name: Command(argv, env) for name, (argv, env) in around.processes.items()}
    return ProcessWorkloads(commands, Path(state), owner=owner)


def _kubernetes_workloads(
    around: Surroundings,
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    git: Mapping[str, Any] | None = None,
) -> Workloads:
    """`context` of a kubeconfig file; without `kubeconfig` the account of the pod that we run in. `git`: as Istio's."""
    from delivery.adapters.git.configured import objects
    from delivery.adapters.kube.client import Kube
    from delivery.adapters.kube.observed import Observed
    from delivery.adapters.kube.through_git import GitKube
    from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
    from delivery.adapters.workloads.kubernetes.reader import LOOKED_AT

    kube = Kube(kubeconfig, context) if git is None else GitKube(objects(**git), kubeconfig, context)
    return KubernetesWorkloads(kube, around.namespaces, Observed(kube, LOOKED_AT))


def _argo_deployer(
    around: Surroundings,
    *,
    namespace: str = "argocd",
    kubeconfig: str | None = None,
    context: str | None = None,
    hub: Mapping[str, Any] | None = None,
) -> Deployer:
    """`kubeconfig` and `context` lead to the cluster, `hub` has those of the one that Argo CD runs in, where that is
    another; `namespace` of it has the Applications."""
    from delivery.adapters.kube.client import Kube
    from delivery.adapters.workloads.argocd.adapter import ArgoDeployer
    from delivery.adapters.workloads.argocd.application import Applications

    kube = Kube(kubeconfig, context)
    return ArgoDeployer(kube, around.namespaces, Applications(kube if hub is None else Kube(**hub), namespace))


def _git_deployer(
    around: Surroundings,
    *,
    url: str,
    directory: str,
    services: Mapping[str, Any],
    branch: str = "main",
    kubeconfig: str | None = None,
    context: str | None = None,
    **access: str,
) -> Deployer:
    """`services` has, for each that may be committed, a table with `path`, `key` and perhaps `value`. `directory` is
    for a bare copy; `access` has the fields of `configured.repository`."""
    from delivery.adapters.git.configured import repository
    from delivery.adapters.kube.client import Kube
    from delivery.adapters.workloads.gitops.adapter import GitDeployer
    from delivery.adapters.workloads.gitops.configured import entries

    found = repository(url, branch, directory, **access)
    return GitDeployer(Kube(kubeconfig, context), around.namespaces, found, entries(services))


def _memory_deployer(around: Surroundings) -> Deployer:
    from delivery.adapters.workloads.deployer_memory import MemoryDeployer

    return MemoryDeployer()


def _memory_workloads(around: Surroundings) -> Workloads:
    from delivery.adapters.workloads.memory import MemoryWorkloads

    return MemoryWorkloads()


def _kubernetes_jobs(
    around: Surroundings, *, templates: Sequence[str], kubeconfig: str | None = None, context: str | None = None
) -> Hooks:
    """`templates` are names of suspended CronJobs, perhaps with a `*`; access as for workloads."""
    from delivery.adapters.hooks.jobs import JobHooks
    from delivery.adapters.kube.client import Kube

    return JobHooks(Kube(kubeconfig, context), around.namespaces, templates)


MESHES: Mapping[str, Callable[..., Mesh]] = {"envoy": _envoy_mesh, "istio": _istio_mesh, "memory": _memory_mesh}
WORKLOADS: Mapping[str, Callable[..., Workloads]] = {
    "kubernetes": _kubernetes_workloads,
    "process": _process_workloads,
    "memory": _memory_workloads,
}
DEPLOYERS: Mapping[str, Callable[..., Deployer]] = {
    "argocd": _argo_deployer,
    "git": _git_deployer,
    "memory": _memory_deployer,
}
JOBS: Mapping[str, Callable[..., Hooks]] = {"kubernetes": _kubernetes_jobs}
RUNS: Mapping[str, frozenset[str]] = {
    "process": frozenset((PROCESS,)),
    "kubernetes": frozenset((DEPLOYMENT,)),
    "memory": ANYTHING,
}
"""What a service file may ask of each kind of workloads."""
