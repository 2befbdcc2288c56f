"""What there is to choose from, by name. Adding something is one file, one line here, and a recorded sample.

An unknown name is an error, never a fallback. Libraries of vendors are imported when a name is chosen, not before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from delivery.catalog.measured import Measured
from delivery.catalog.workloads import ANYTHING, DEPLOYMENT, PROCESS
from delivery.gates import conversion, gauge, latency, ratio, threshold
from delivery.gates.gate import Kind
from delivery.model.fields import Fields
from delivery.model.ids import Micros, TargetId
from delivery.model.notice import Notice
from delivery.model.place import Place
from delivery.model.service import Strategy
from delivery.ports.chat import Chat
from delivery.ports.clock import Clock
from delivery.ports.deployer import Deployer
from delivery.ports.hooks import Hooks
from delivery.ports.mesh import Mesh
from delivery.ports.metrics import Metrics, Past
from delivery.ports.subscriber import Subscriber
from delivery.ports.workloads import Workloads
from delivery.sources import authorization, github, gitlab, signing
from delivery.sources.alertmanager import Alertmanager
from delivery.sources.argocd import ArgoCD
from delivery.sources.cdevents import CDEvents
from delivery.sources.cloudevents import CloudEvents
from delivery.sources.github import GitHub
from delivery.sources.gitlab import GitLab
from delivery.strategies import ab_test, blue_green, canary, dark_launch, fault_test

T = TypeVar("T")
SLACK_API = "https://slack.com/api/"


class Source(Protocol):
    """Who may send events, by a dialect."""

    def receive(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Notice:
        """Verifies the signature over the body as it came, and reads it. Raises Unsigned or Malformed."""

    def reread(self, body: bytes) -> Notice:
        """Reads a stored body again, which was verified when it came. Raises Malformed."""


@runtime_checkable
class Batch(Protocol):
    """A dialect whose requests bring several notices at once, or none."""

    def receive_each(self, headers: Mapping[str, str], body: bytes, now: Micros) -> Sequence[tuple[Notice, bytes]]:
        """As `Source.receive`; each notice comes with a body of its own, from which it can be read again."""

    def reread(self, body: bytes) -> Notice:
        """Reads one of those bodies again. Raises Malformed."""


class UnknownName(ValueError):
    """A configuration names something that is not here, or gives it arguments that it does not take."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter may need besides its own arguments. `processes` are commands and environments by name.

    `locate` says where a target lives, by its service file of now; it raises Refused where the file does not say.
    `namespaces` of the cluster have opted in: nothing is touched in any other.
    """

    cluster: str
    clock: Clock
    locate: Callable[[TargetId], Place]
    processes: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()


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


def _envoy_metrics(around: Surroundings, *, admin: str) -> Metrics:
    from delivery.adapters.metrics.envoy import EnvoyMetrics

    return EnvoyMetrics(admin, around.clock)


def _prometheus_metrics(
    around: Surroundings,
    *,
    url: str,
    token: str | None = None,
    username: str | None = None,
    password: str | None = None,
    ca: str | None = None,
    **options: Any,
) -> Metrics:
    """`ca` is a file with the authorities to trust; the other options are those of `configured.Options`."""
    from delivery.adapters.metrics.prometheus.configured import Options, connect
    from delivery.adapters.metrics.prometheus.server import Access

    return connect(url, Access(token, username, password, ca), Options(**options), around.clock, around.locate)


def measured(kind: str, arguments: Mapping[str, Any]) -> Measured | None:
    """What metrics of this kind measure beside requests, as far as their arguments say; None: nobody knows.

    Arguments that are wrong are told where the metrics are made, not here.
    """
    if kind == "envoy":
        return Measured()
    if kind != "prometheus":
        return None
    from delivery.adapters.metrics.prometheus.configured import Options, gauged, rated, timed

    names = {one.name for one in fields(Options)}
    try:
        options = Options(**{name: value for name, value in arguments.items() if name in names})
        return Measured(rated(options), gauged(options), timed(options))
    except (TypeError, ValueError):
        return None


def past(
    url: str,
    service: str,
    template: str | None,
    where: Mapping[str, str],
    access: tuple[str | None, str | None, str | None],
    at: Micros,
) -> tuple[Past, tuple[str, tuple[str, ...]]]:
    """A service's past in a Prometheus; see `wiring.past`."""
    from delivery.adapters.metrics.prometheus.past import find
    from delivery.adapters.metrics.prometheus.server import Access, Server

    token, pair, ca = access
    username, _, password = (pair or "").partition(":")
    server = Server(url, Access(token, username or None, password or None, ca), seconds=60.0)
    found = find(server, service, template, where, at)
    return found, (found.template, found.labels)


def _memory_metrics(around: Surroundings) -> Metrics:
    from delivery.adapters.metrics.memory import MemoryMetrics

    return MemoryMetrics(around.clock)


def _cloudevents(name: str, secrets: Sequence[str]) -> Source:
    for secret in secrets:
        signing.key(secret)
    return CloudEvents(name, secrets)


def _alertmanager(name: str, secrets: Sequence[str]) -> Batch:
    for secret in secrets:
        authorization.expected(secret)
    return Alertmanager(name, secrets)


def _argocd(name: str, secrets: Sequence[str]) -> Source:
    for secret in secrets:
        authorization.expected(secret)
    return ArgoCD(name, secrets)


def _github(name: str, secrets: Sequence[str]) -> Batch:
    github.demand(secrets)
    return GitHub(name, secrets)


def _gitlab(name: str, secrets: Sequence[str]) -> Batch:
    gitlab.demand(secrets)
    return GitLab(name, secrets)


def _cdevents(name: str, secrets: Sequence[str]) -> Batch:
    for secret in secrets:
        signing.key(secret)
    return CDEvents(name, secrets)


def _apprise_chat(base: str, *, channels: Mapping[str, str]) -> Chat:
    """`channels`: Apprise's addresses by the names that service files use."""
    from delivery.adapters.chat.apprise import AppriseChat

    return AppriseChat(base, channels)


def _console_chat(base: str) -> Chat:
    from delivery.adapters.chat.console import ConsoleChat

    return ConsoleChat()


def _slack_chat(
    base: str, *, token: str, signing_secret: str = "", app_token: str = "", base_url: str = SLACK_API
) -> Chat:
    """The app's bot `token`. The other two are for what comes back: see `wiring.slack`."""
    from delivery.adapters.chat.slack.adapter import SlackChat

    return SlackChat(token, token, base_url, base)


def _webhook(base: str, *, url: str, secrets: Sequence[str], ca: str | None = None) -> Subscriber:
    from delivery.adapters.events.webhook import Webhook

    return Webhook(base, url, secrets, ca)


def _cdevents_out(base: str, *, url: str, secrets: Sequence[str] = (), ca: str | None = None) -> Subscriber:
    """Without `secrets` they are not signed: most receivers of CDEvents know no signature."""
    from delivery.adapters.events.cdevents import CDEvents

    return CDEvents(base, url, secrets, ca)


def _github_out(
    base: str, *, token: str | None = None, app: Mapping[str, str] | None = None, **options: Any
) -> Subscriber:
    """`token`, or an `app` (`id`, `installation`, `key`), may write deployments; the rest is for the adapter."""
    from delivery.adapters.events.github import API, GitHub
    from delivery.adapters.events.github_app import AppToken

    if (token is None) == (app is None):
        raise ValueError("either token or app: a table with id, installation and key")
    if app is None:
        return GitHub(base, lambda: str(token), **options)
    if set(app) != {"id", "installation", "key"}:
        raise ValueError(f"app has {', '.join(sorted(app)) or 'nothing'}; it needs id, installation and key")
    api, ca = options.get("api", API), options.get("ca")
    return GitHub(base, AppToken(api, app["id"], app["installation"], app["key"], ca), **options)


STRATEGIES: Mapping[str, Callable[[Fields], Strategy]] = {
    "canary": canary.parse,
    "blue_green": blue_green.parse,
    "ab_test": ab_test.parse,
    "dark_launch": dark_launch.parse,
    "fault_test": fault_test.parse,
}
GATES: Mapping[str, Kind] = {
    "ratio": ratio,
    "latency": latency,
    "threshold": threshold,
    "gauge": gauge,
    "conversion": conversion,
}
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
METRICS: Mapping[str, Callable[..., Metrics]] = {
    "envoy": _envoy_metrics,
    "memory": _memory_metrics,
    "prometheus": _prometheus_metrics,
}
SOURCES: Mapping[str, Callable[[str, Sequence[str]], Source | Batch]] = {
    "alertmanager": _alertmanager,
    "argocd": _argocd,
    "cdevents": _cdevents,
    "cloudevents": _cloudevents,
    "github": _github,
    "gitlab": _gitlab,
}
"""Dialects: the name of a configured source and its secrets -> its reader. Raises ValueError for a bad secret."""
SUBSCRIBERS: Mapping[str, Callable[..., Subscriber]] = {
    "cdevents": _cdevents_out,
    "github": _github_out,
    "webhook": _webhook,
}
"""Kinds of receivers of events: where people reach the API, and the arguments -> the adapter."""
CHATS: Mapping[str, Callable[..., Chat]] = {"apprise": _apprise_chat, "console": _console_chat, "slack": _slack_chat}
"""Kinds of channels: where people reach the API, and the arguments -> the adapter."""


def choose(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of this name. Raises UnknownName with the names that there are."""
    if name not in table:
        raise UnknownName(f"there is no {what} named {name!r}; there is: {', '.join(sorted(table))}")
    return table[name]
