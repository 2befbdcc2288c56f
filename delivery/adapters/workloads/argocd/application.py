"""An Application of Argo CD, and what is read off it. Pure but for the reading itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from delivery.adapters.kube.client import Absent, Kube
from delivery.adapters.kube.objects import Document, path
from delivery.ports.errors import Refused

API = "argoproj.io/v1alpha1"
TOKEN = "progressive-delivery"
"""The name of the note by which an operation of ours is known again."""
_RUNS = ("Running", "Terminating")


@dataclass(frozen=True, slots=True)
class Applications:
    """Those of one namespace: whoever may write a service file does not choose where Argo CD is looked for. `kube` is
    the cluster that Argo CD runs in."""

    kube: Kube
    namespace: str

    def get(self, name: str) -> Document:
        """Raises Refused where there is none."""
        try:
            return self.kube.get(path(API, "Application", self.namespace, name))
        except Absent as error:
            raise Refused(f"there is no Application {self.namespace}/{name}: {error}") from error


def sync(application: Document) -> str:
    """Synced, OutOfSync or Unknown."""
    return str(_status(application).get("sync", {}).get("status", "Unknown"))


def health(application: Document) -> str:
    """Healthy, Progressing, Degraded, Suspended, Missing or Unknown."""
    return str(_status(application).get("health", {}).get("status", "Unknown"))


def revision(application: Document) -> str:
    """What it was compared with: a commit, or a chart's version; of several sources the first."""
    found = _status(application).get("sync", {})
    return str(found.get("revision") or next(iter(found.get("revisions") or ()), ""))


def operating(application: Document) -> str:
    """What it is doing just now; nothing where nothing is to come by itself."""
    state = _status(application).get("operationState") or {}
    if application.get("operation") or state.get("phase") in _RUNS:
        return f"an operation of {name(application)} runs: {state.get('message') or 'it was asked for just now'}"
    return ""


def failed(application: Document, token: str) -> str:
    """Why the operation that we asked for, or an automated one of what it says now, came to nothing; else nothing."""
    state = _status(application).get("operationState") or {}
    ours = was_told(application, token) or (
        automated(application) and _source(state.get("syncResult")) == _wants(application)
    )
    return trouble(application) if ours else ""


def trouble(application: Document) -> str:
    """Why its last operation came to nothing, whoever asked for it; nothing where it did not."""
    state = _status(application).get("operationState") or {}
    if state.get("phase") not in ("Failed", "Error"):
        return ""
    return f"the last sync of {name(application)} failed: {state.get('message', 'no reason given')}"


def is_compared(application: Document) -> bool:
    """Whether its sync status is about what it says now."""
    compared = _status(application).get("sync", {}).get("comparedTo")
    return _source(compared) == _wants(application)


def automated(application: Document) -> bool:
    """Whether it syncs by itself; otherwise people press the button."""
    found = (application["spec"].get("syncPolicy") or {}).get("automated")
    return found is not None and found.get("enabled") is not False


def was_told(application: Document, token: str) -> bool:
    """Whether its last operation is the one that this decision asked for."""
    operation = (_status(application).get("operationState") or {}).get("operation") or {}
    return {"name": TOKEN, "value": token} in (operation.get("info") or ())


def operation(application: Document, named: Document, token: str, by: str) -> Document:
    """What has one object of it synced, and nothing else: people may have left the rest for later. At the commit that
    was synced last, so that nothing but the parameter is new."""
    state = _status(application).get("operationState") or {}
    result = state.get("syncResult") or {}
    revisions = {key: result[key] for key in ("revision", "revisions") if result.get(key)}
    options = (application["spec"].get("syncPolicy") or {}).get("syncOptions")
    sync = {"resources": [named], **revisions, **({"syncOptions": options} if options else {})}
    return {"initiatedBy": {"username": by}, "info": [{"name": TOKEN, "value": token}], "sync": sync}


def finished(application: Document) -> str:
    """When its last operation ended, as Argo CD writes it; nothing where none did."""
    return str((_status(application).get("operationState") or {}).get("finishedAt") or "")


def initiator(application: Document) -> str:
    """Who had it synced, where a person did."""
    operation = (_status(application).get("operationState") or {}).get("operation") or {}
    return str((operation.get("initiatedBy") or {}).get("username", ""))


def deployments(application: Document, namespace: str) -> Iterator[tuple[str, str]]:
    """The Deployments that it manages in a namespace, with the sync status of each."""
    for one in _status(application).get("resources") or ():
        kind = (one.get("group"), one.get("kind"), one.get("namespace"))
        if kind == ("apps", "Deployment", namespace):
            yield str(one["name"]), str(one.get("status", "Unknown"))


def _status(application: Document) -> Document:
    found: Document = application.get("status") or {}
    return found


def _wants(application: Document) -> object:
    return _source(application["spec"])


def _source(of: Document | None) -> object:
    """Where manifests come from, one or several."""
    found = of or {}
    return found.get("sources") or found.get("source")


def name(application: Document) -> str:
    return f"Application {application['metadata']['namespace']}/{application['metadata']['name']}"
