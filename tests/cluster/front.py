"""A shop with users: what a Helm chart leaves in a namespace, a route from the gateway, and a service file for it."""

from collections.abc import Mapping

from delivery.adapters.kube.objects import ISTIO, Document, path
from tests.cluster import objects, wire
from tests.cluster.shop import NAME, SELECTED, Shop
from tests.cluster.testbed.cluster import GATEWAY, Cluster
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import CLUSTER

LINGER = {"linger": "2"}
"""As a preStop hook has it: a pod serves until the proxies have let go of it."""


class Front(Shop):
    """`host` is what users ask for."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(cluster, namespace)
        self.host = f"{namespace}.example.com"

    def open(self, *, replicas: int = 2, annotations: Mapping[str, str] | None = None, faults: str = "") -> None:
        """Returns when 1.4.1 answers users. `faults` are those of `testbed/script.py`, for any version to come."""
        self.deploy(replicas, LINGER | dict(annotations or {}))
        if faults:
            variables = {"containers": [{"name": NAME, "env": [{"name": "FAULTS", "value": faults}]}]}
            body = {"spec": {"template": {"spec": variables}}}
            self.cluster.api.patch(self.path, body, "application/strategic-merge-patch+json")
        self.cluster.api.create(self.virtual_service())
        wait_until("it rolled out", self.has_rolled_out, 60, self.cluster.check)
        wait_until("1.4.1 answers", lambda: set(wire.send(self.cluster, self.host, 10)) == {"1.4.1"}, 60)

    @property
    def path(self) -> str:
        return path("apps/v1", "Deployment", self.namespace, NAME)

    def virtual_service(self) -> Document:
        """Without retries, which would hide what a switch breaks."""
        entry = {"destination": {"host": objects.fqdn(NAME, self.namespace), "port": {"number": 80}}}
        return {
            "apiVersion": ISTIO,
            "kind": "VirtualService",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "hosts": [self.host],
                "gateways": [GATEWAY],
                "http": [{"name": "main", "retries": {"attempts": 0}, "route": [entry]}],
            },
        }

    def autoscaler(self, least: int, most: int) -> Document:
        """A HorizontalPodAutoscaler of the Deployment."""
        metric = {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
        }
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
                "minReplicas": least,
                "maxReplicas": most,
                "metrics": [metric],
            },
        }

    def budget(self) -> Document:
        """A PodDisruptionBudget of its pods."""
        return {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": NAME, "namespace": self.namespace},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": SELECTED}},
        }

    def service_file(self, strategies: str, more: str = "", tick: str = "1s", workload: str = "") -> str:
        """`strategies` is a YAML list, `more` are lines at the top level, `workload` more of it: `mode: observe, `."""
        return f"""\
service: {NAME}
cluster: {CLUSTER}
namespace: {self.namespace}
workload: {{{workload}deployment: {NAME}, rollback_window: 3s, appear_within: 1m}}
tick: {tick}
strategies: {strategies}
gates:
  errors: {{ratio: http_errors, worse_than: 1.1, floor: 0.1%, objective: 5%, min_requests: 50, dispersion: 1}}
{more}"""

    def versions(self) -> set[str]:
        """Who answers users now; any failure by its status."""
        return set(wire.send(self.cluster, self.host, 20))
