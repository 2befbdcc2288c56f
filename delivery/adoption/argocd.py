"""What Argo CD would do to a release, and the way that leaves each of them alone: a delegate outside git."""

from collections.abc import Iterator, Sequence

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import delegate
from delivery.adapters.mesh.istio.survey import as_yaml
from delivery.adapters.workloads.argocd import survey
from delivery.model.finding import Finding, Weight
from delivery.model.place import Place


def findings(kube: Kube, edited: Sequence[Document], place: Place, service: str) -> list[Finding]:
    """About the VirtualServices that a release would edit, and what else of it Argo CD manages."""
    documents = [{"kind": "VirtualService", **one} for one in edited]
    applications, found = survey.read(kube, documents)
    found += survey.findings(applications, documents, place)
    told = {one.subject for one in found}
    theirs = [one for one in documents if survey.name_of(one) in told]
    return [*found, *(each for one in theirs for each in _delegated(one, place, service))]


def _delegated(found: Document, place: Place, service: str) -> Iterator[Finding]:
    pair = delegate.split(found, place, service)
    if pair is None:
        return
    root, routes = pair
    name = routes["metadata"]["name"]
    text = (
        f"recommended: keep the root in git, and its HTTP routes in a delegate that is not, {name}: then neither sets "
        f"back what the other writes. Apply the second once, then commit the first"
    )
    if place.routes:
        text += f"; `routes` of the service file names {name} then"
    yield Finding(
        Weight.SAYS,
        survey.name_of(found),
        text,
        f"# git\n{as_yaml(root)}---\n# kubectl apply, not git\n{as_yaml(routes)}",
    )
