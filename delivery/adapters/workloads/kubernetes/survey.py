"""What stands in the way of releasing a Deployment, and who else has a hand on it. Reads only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from delivery.adapters.kube import images, labels, marks
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.adapters.workloads.kubernetes import clone, configuration, refusals
from delivery.adapters.workloads.kubernetes.clone import Copy
from delivery.adapters.workloads.kubernetes.reader import Reader
from delivery.adapters.workloads.kubernetes.refusals import Copied, Home
from delivery.model.finding import Finding, Weight
from delivery.model.ids import target_id
from delivery.model.place import Isolation, Mode, Place, Promotion, object_name
from delivery.model.version import Backend, VersionRef
from delivery.ports.errors import Refused

NEXT = VersionRef.of("next", "IMAGE@sha256:next")
"""Stands for the version that will be released first."""
_ARGO = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")
_HELM = ("meta.helm.sh/release-name",)
_PEERS = {"Canary": "Flagger", "Rollout": "Argo Rollouts"}


@dataclass(frozen=True, slots=True)
class Surveyed:
    """`candidate` are the labels that the candidate's pods will have; `stable` those of stable's."""

    backend: Backend
    place: Place
    home: Home
    findings: tuple[Finding, ...]
    stable: Mapping[str, str]
    candidate: Mapping[str, str]
    makes: tuple[Document, ...]


def survey(kube: Kube, service: str, place: Place, *, propose: bool) -> Surveyed:
    """What the first release of a service finds.

    `propose`: the place is only a beginning, and its Service and mode are to be found. Raises Refused where there is no
    such Deployment, or no Service before it.
    """
    reader = Reader(kube, place.namespace)
    deployment = reader.owners(place)
    if propose:
        place = replace(place, service=_service(reader, deployment, place), mode=_mode(deployment, place.mode))
    home = reader.around(place, deployment)
    backend = Backend(service, NEXT)
    wanted = _copy(home, place, backend)
    pod = clone.pod_labels(home.deployment, home.service, wanted)
    found = [
        *_owners(deployment, place),
        *_others(deployment),
        *_capacity(home, place),
        *_configuration(reader, home, place),
    ]
    makes: tuple[Document, ...] = ()
    if place.mode is Mode.CLONE:
        reasons = refusals.reasons(home, Copied(pod, place.isolation is Isolation.SUBSET))
        found += [Finding(Weight.BLOCKS, _name(deployment), reason) for reason in reasons]
        makes = () if reasons else _makes(home, wanted, place)
    return Surveyed(backend, place, home, tuple(found), home.pod_labels, pod, makes)


def _service(reader: Reader, deployment: Document, place: Place) -> str:
    """The Service that users call: the one that selects its pods; of several the one that is called like it."""
    pod = deployment["spec"]["template"]["metadata"].get("labels") or {}
    theirs = [one for one in reader.all("v1", "Service") if marks.BACKEND not in (one["metadata"].get("labels") or {})]
    names = [one["metadata"]["name"] for one in theirs if labels.service_selects(one["spec"].get("selector"), pod)]
    if place.service in names:
        return place.service
    if len(names) == 1:
        return str(names[0])
    where = f"Deployment {place.namespace}/{place.deployment}"
    if names:
        raise Refused(f"several Services select the pods of {where}: {', '.join(sorted(names))}; say which: --service")
    raise Refused(f"no Service selects the pods of {where}: there is nothing that a route could lead to")


def _mode(deployment: Document, asked: Mode) -> Mode:
    """Who rolls out in place of itself at every change of git would undo a promotion by patch."""
    return Mode.OBSERVE if asked is Mode.CLONE and _marked(deployment, (*_ARGO, *_FLUX)) else asked


def _owners(deployment: Document, place: Place) -> Iterator[Finding]:
    subject = _name(deployment)
    if by := _marked(deployment, (*_ARGO, *_FLUX)):
        text = f"git owns it ({by}): it rolls out in place, and would undo a promotion by patch"
        if place.mode is Mode.OBSERVE:
            yield Finding(Weight.WARNS, subject, f"{text}; so releases are judged and reported, and nothing is moved")
        elif place.mode is Mode.CLONE and place.promotion is Promotion.PATCH:
            ways = "ignore its image there, or use promotion: {via: argocd}, or mode: versioned or observe"
            yield Finding(Weight.BLOCKS, subject, f"{text}; {ways}")
    elif by := _marked(deployment, _HELM):
        text = f"Helm wrote it ({by}): a later upgrade sets the image of its values; give it the promoted one"
        yield Finding(Weight.WARNS, subject, text)


def _others(deployment: Document) -> Iterator[Finding]:
    """Peers that move the same traffic."""
    for owner in deployment["metadata"].get("ownerReferences") or ():
        peer = _PEERS.get(owner.get("kind", ""), f"a {owner.get('kind')}")
        text = (
            f"{peer} ({owner.get('kind')} {owner.get('name')}) owns it and would undo what we write: take it out first"
        )
        yield Finding(Weight.BLOCKS, _name(deployment), text)


def _capacity(home: Home, place: Place) -> Iterator[Finding]:
    replicas = home.deployment["spec"].get("replicas", 1)
    for hpa in home.autoscalers if place.keep_capacity and place.mode is not Mode.OBSERVE else ():
        if _is_kedas(hpa):
            text = "KEDA sets its minReplicas back, so stable may shrink while a candidate has its users"
            yield Finding(
                Weight.WARNS, _name(hpa), f"{text}; raise minReplicaCount of its ScaledObject before a release"
            )
            continue
        low = hpa["spec"].get("minReplicas", 1)
        text = f"its minReplicas ({low}) is raised to what runs while a release is open, and set back afterwards"
        yield Finding(Weight.SAYS, _name(hpa), text)
    if replicas < 2:
        text = "it has one pod: an error of that pod is an error of stable; two or more compare better"
        yield Finding(Weight.WARNS, _name(home.deployment), text)


def _is_kedas(hpa: Document) -> bool:
    return any(owner.get("kind") == "ScaledObject" for owner in hpa["metadata"].get("ownerReferences") or ())


def _configuration(reader: Reader, home: Home, place: Place) -> Iterator[Finding]:
    """What its pods read: tracked, shared, or neither; and what is named that is not there or that nobody reads."""
    subject = _name(home.deployment)
    weight = Weight.BLOCKS if place.mode is Mode.CLONE else Weight.WARNS
    for reason in configuration.wrong(home.deployment, place):
        yield Finding(weight, subject, f"{reason}; correct the name, or take it out")
    try:
        reader.tracked(place)
    except Refused as error:
        yield Finding(weight, subject, str(error))
    if unnamed := configuration.unnamed(home.deployment, place):
        text = (
            f"its pods read {', '.join(unnamed)}, below neither config.track nor config.share: a change reaches "
            f"stable and candidate alike, and is no version of its own"
        )
        remedy = f"config: {{track: [{', '.join(unnamed)}]}}  # or share, for credentials that rotate"
        yield Finding(Weight.SAYS, subject, text, remedy)


def _copy(home: Home, place: Place, backend: Backend) -> Copy:
    container = images.container(home.pod, (place.deployment, place.service))["name"]
    name = object_name(backend)
    names = configuration.of_copy(place, name)
    return Copy(target_id(backend.service, "survey"), name, NEXT, place.isolation, container, names=names)


def _makes(home: Home, wanted: Copy, place: Place) -> tuple[Document, ...]:
    """What the first stage would create."""
    made = [clone.deployment(home.deployment, home.service, wanted, 1)]
    if place.isolation is Isolation.SERVICE:
        made.insert(0, clone.its_service(home.service, wanted))
    return tuple(made)


def _marked(document: Document, keys: Sequence[str]) -> str:
    metadata = document["metadata"]
    told = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    return next((f"{key}: {told[key]}" for key in keys if key in told), "")


def _name(document: Document) -> str:
    kind = document.get("kind", "Deployment")
    return f"{kind} {document['metadata'].get('namespace')}/{document['metadata']['name']}"
