"""What the adapter reads of a namespace."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from delivery.adapters.kube import marks
from delivery.adapters.kube.api import Api
from delivery.adapters.kube.client import Absent
from delivery.adapters.kube.objects import Document, path
from delivery.adapters.workloads.kubernetes import capacity, condition, configuration
from delivery.adapters.workloads.kubernetes.refusals import OBSERVE, Home
from delivery.model.place import Place
from delivery.ports.errors import PortError, Refused

AUTOSCALING, POLICY, KEDA = "autoscaling/v2", "policy/v1", "keda.sh/v1alpha1"
LOOKED_AT = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("v1", "Service"),
    (AUTOSCALING, "HorizontalPodAutoscaler"),
)
"""What a look at workloads that are there needs: worth watching."""


class Reader:
    """Of one namespace."""

    def __init__(self, kube: Api, namespace: str) -> None:
        self._kube = kube
        self.namespace = namespace

    def deployment(self, name: str) -> Document | None:
        return self._kube.find(path("apps/v1", "Deployment", self.namespace, name))

    def owners(self, place: Place) -> Document:
        """The owners' own Deployment. Raises Refused with what is there instead."""
        found = self.deployment(place.deployment)
        if found is not None:
            return found
        for kind in ("StatefulSet", "DaemonSet"):
            if self._kube.find(path("apps/v1", kind, self.namespace, place.deployment)) is not None:
                raise Refused(
                    f"{self.namespace}/{place.deployment} is a {kind}: its pods cannot stand beside a copy of "
                    f"themselves; {OBSERVE}"
                )
        raise Refused(f"there is no Deployment {self.namespace}/{place.deployment}")

    def service(self, name: str) -> Document | None:
        return self._kube.find(path("v1", "Service", self.namespace, name))

    def users(self, place: Place) -> Document:
        """The Service that users call."""
        found = self.service(place.service)
        if found is None:
            raise Refused(f"there is no Service {self.namespace}/{place.service}")
        return found

    def around(self, place: Place, deployment: Document) -> Home:
        """A Deployment of the owners' with all that a copy has to get along with, but for what is ours.

        Raises Refused where parts are missing.
        """
        volumes = deployment["spec"]["template"]["spec"].get("volumes") or ()
        claims = [one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one]
        return Home(
            deployment=deployment,
            service=self.users(place),
            namespace=self._kube.get(path("v1", "Namespace", name=self.namespace)),
            services=[one for one in self.all("v1", "Service") if not _is_ours(one)],
            autoscalers=self.autoscalers(deployment["metadata"]["name"]),
            budgets=self.all(POLICY, "PodDisruptionBudget"),
            scaled=self.all(KEDA, "ScaledObject"),
            claims=[self._kube.get(path("v1", "PersistentVolumeClaim", self.namespace, name)) for name in claims],
        )

    def autoscalers(self, deployment: str) -> list[Document]:
        """Those of a Deployment."""
        return [hpa for hpa in self.all(AUTOSCALING, "HorizontalPodAutoscaler") if capacity.scales(hpa, deployment)]

    def all(self, version: str, kind: str, selector: Mapping[str, Any] | None = None) -> list[Document]:
        """The objects of a kind, those that a LabelSelector matches; none where the cluster does not know the kind."""
        try:
            return self._kube.items(version, kind, self.namespace, selector)
        except Absent:
            return []

    def pods(self, selector: Mapping[str, Any]) -> list[Document]:
        """Those that a LabelSelector matches."""
        return self.all("v1", "Pod", selector)

    def newest_pods(self, deployment: Document) -> list[Document]:
        """The pods of a Deployment's newest template."""
        selector = deployment["spec"]["selector"]
        sets = self.all("apps/v1", "ReplicaSet", selector)
        return condition.of_template(self.pods(selector), sets, deployment)

    def configuration(self, reference: str) -> Document | None:
        """A ConfigMap or a Secret: `configmap/checkout`."""
        kind, _, name = reference.partition("/")
        found = self._kube.find(path("v1", configuration.KINDS[kind], self.namespace, name))
        return None if found is None else {"apiVersion": "v1", "kind": configuration.KINDS[kind], **found}

    def tracked(self, place: Place) -> Sequence[Document]:
        """The tracked ConfigMaps and Secrets. Raises Refused for one that is not there."""
        found = []
        for reference in place.track:
            document = self.configuration(reference)
            if document is None:
                raise Refused(f"config.track names {reference}, which is not in namespace {self.namespace}")
            found.append(document)
        return found

    def last_line(self, pod: str, container: str) -> str:
        """The last line that a container that ended left in its log; nothing where it cannot be read."""
        where = f"{path('v1', 'Pod', self.namespace, pod)}/log"
        for previous in ("true", "false"):
            with suppress(PortError):
                text = self._kube.text(where, container=container, tailLines="1", previous=previous).strip()
                if text:
                    return text.rpartition("\n")[2][:300]
        return ""


def _is_ours(document: Document) -> bool:
    """Whatever the target: a Service of ours selects nothing but pods of ours."""
    return marks.BACKEND in (document["metadata"].get("labels") or {})
