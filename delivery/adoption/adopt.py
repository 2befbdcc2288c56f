"""From a Deployment to a service file, with all that somebody should know before it is applied. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import preflight
from delivery.adapters.mesh.istio import survey as mesh
from delivery.adapters.workloads.kubernetes import survey as workloads
from delivery.adapters.workloads.kubernetes.survey import Surveyed
from delivery.adoption import argocd, cost, gateways, rights
from delivery.adoption.service_file import as_text
from delivery.catalog.document import Document as File
from delivery.catalog.service import parse
from delivery.model.finding import Finding, Weight
from delivery.model.place import Mode, Place
from delivery.model.service import Service
from delivery.model.traffic import Traffic
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import PortError, Refused
from delivery.registry import GATES, STRATEGIES
from delivery.strategies.plan import compile_plan

ORDER = tuple(Weight)


@dataclass(frozen=True, slots=True)
class Adoption:
    """`changes` are diffs of what the first stage edits, `makes` the objects that it creates, `settings` what belongs
    into the server's configuration. All are texts to be read, or applied, by people."""

    service_file: str
    findings: tuple[Finding, ...]
    changes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    settings: str = ""

    @property
    def blocked(self) -> bool:
        return any(one.weight is Weight.BLOCKS for one in self.findings)


@dataclass(slots=True)
class _Found:
    findings: list[Finding] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)


def adopt(kube: Kube, place: Place, cluster: str, name: str | None = None) -> Adoption:
    """A service file for what is there. Raises Refused where there is nothing that could be released."""
    called = name or place.deployment
    surveyed = workloads.survey(kube, called, place, propose=True)
    text = as_text(called, cluster, surveyed.place)
    return _looked_at(kube, surveyed, text, _service(called, cluster, surveyed.place))


def inspect(kube: Kube, service: Service, cluster: str) -> Adoption:
    """The same for a service file that is there. Raises Refused where what it names is not."""
    place = service.workload_in(cluster).place
    if place is None:
        raise Refused(f"{service.name} is no service of a Kubernetes cluster")
    return _looked_at(
        kube, workloads.survey(kube, service.name, place, propose=False), as_text(service.name, cluster, place), service
    )


def _looked_at(kube: Kube, surveyed: Surveyed, text: str, service: Service) -> Adoption:
    place, found = surveyed.place, _Found(list(surveyed.findings))
    edited: Sequence[Document] = ()
    if place.mode is not Mode.OBSERVE:
        try:
            paths = mesh.read(kube)
            edited = mesh.chosen(paths, service.name, place)
            found.findings += mesh.findings(paths, service.name, place)
        except PortError as error:
            found.findings.append(Finding(Weight.BLOCKS, "VirtualServices", str(error)))
        _try(found, edited, surveyed, service)
        found.findings += _policies(kube, surveyed)
        found.findings += argocd.findings(kube, edited, place, service.name)
    plan = compile_plan(service)
    found.findings += cost.findings(surveyed.home.deployment, place, plan)
    found.findings += rights.findings(kube, place, plan)
    settings, levels = gateways.settings(kube, edited)
    found.findings += levels
    ordered = sorted(found.findings, key=lambda one: (ORDER.index(one.weight), one.subject))
    makes = tuple(mesh.as_yaml(one) for one in surveyed.makes)
    return Adoption(text, tuple(ordered), tuple(found.changes), makes, settings)


def _try(found: _Found, edited: Sequence[Document], surveyed: Surveyed, service: Service) -> None:
    """The first stage on paper. What cannot be edited says why."""
    place = surveyed.place
    home = Backend(service.name, VersionRef.of("now"), home=place.mode is Mode.CLONE)
    try:
        after = mesh.trial(edited, place, (home, surveyed.backend), _first(service))
        found.changes += [mesh.difference(one, other) for one, other in zip(edited, after, strict=True)]
    except Refused as error:
        found.findings.append(Finding(Weight.BLOCKS, f"Service {place.namespace}/{place.service}", str(error)))


def _first(service: Service) -> Traffic:
    return compile_plan(service).stages[0].traffic


def _policies(kube: Kube, surveyed: Surveyed) -> Sequence[Finding]:
    try:
        policies = preflight.read(kube, surveyed.place)
    except PortError as error:
        text = f"policies could not be read, so nobody knows whether they mean the candidate: {error}"
        return (Finding(Weight.WARNS, f"namespace {surveyed.place.namespace}", text),)
    return preflight.findings(policies, surveyed.place, surveyed.stable, surveyed.candidate)


def _service(name: str, cluster: str, place: Place) -> Service:
    """What the proposed file means."""
    values = {
        "service": name,
        "cluster": cluster,
        "namespace": place.namespace,
        "workload": {"deployment": place.deployment, "service": place.service},
    }
    return parse(File(values), strategies=STRATEGIES, gates=GATES)
