"""Istio's control plane: its CRDs, istiod, and the admission webhook through which the API server asks it."""

import base64
import os
from pathlib import Path

import yaml
from kubernetes.client.exceptions import ApiException

from delivery.sandbox.ports import HOST, free_port
from tests.cluster.testbed.api import Api, Document, place
from tests.cluster.testbed.certificates import Certificates
from tests.cluster.testbed.control_plane import answers
from tests.cluster.testbed.process import Process, wait_until
from tools.cluster_build import CRDS, Program, built

NAMESPACE = "istio-system"
CLUSTER = "Kubernetes"
START_SECONDS = 60.0
GROUPS = ("networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io")
TRACES, TRACES_PORT = "traces", 9411
"""A tracing provider that Telemetry objects may name; `collector` makes its Service."""
MESH = {
    "enableAutoMtls": False,
    "enableTracing": False,
    "ingressControllerMode": "OFF",
    "extensionProviders": [
        {"name": TRACES, "zipkin": {"service": f"{TRACES}.{NAMESPACE}.svc.cluster.local", "port": TRACES_PORT}}
    ],
}
DEBOUNCE = "100ms"
"""istiod's own default. With a shorter one it pushes while a write is still being answered, which proves nothing."""
DEBUG_NAMESPACE = "delivery"
"""Whose service accounts may read all of /debug; other namespaces' may not, apart from istiod's own."""
# What a mesh without sidecars and without a certificate authority does not need, and what Envoy as Envoy's own project
# builds it does not know (metadata exchange, the ALPN filter).
_SETTINGS = {
    "POD_NAMESPACE": NAMESPACE,
    "REVISION": "default",
    "CLUSTER_ID": CLUSTER,
    "ENABLE_CA_SERVER": "false",
    "PILOT_CERT_PROVIDER": "none",
    "INJECT_ENABLED": "false",
    "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    "INJECTION_WEBHOOK_CONFIG_NAME": "",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "ENABLE_LEADER_ELECTION": "false",
    "PILOT_ENABLE_GATEWAY_API": "false",
    "PILOT_ENABLE_IP_AUTOALLOCATE": "false",
    "DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES": DEBUG_NAMESPACE,
}


class Istiod:
    """`xds` is the port that proxies ask, `debug` the one with /debug/syncz and /metrics, free for loopback.

    `remote` is the URL of /debug and /ready on `address`, which is not loopback: it asks for a token.
    """

    def __init__(
        self,
        folder: Path,
        program: Program,
        kubeconfig: Path,
        api: Api,
        certificates: Certificates,
        address: str,
        debounce: str = DEBOUNCE,
    ) -> None:
        self._folder = folder
        self._program = program
        self._kubeconfig = kubeconfig
        self._certificates = certificates
        self._address = address
        self._debounce = debounce
        self._api = api
        ports: list[int] = []
        for _ in range(4):
            ports.append(free_port(taken=ports))
        self.xds, self.debug, self._http, self._https = ports
        self.remote = f"http://{address}:{self._http}"
        self.process: Process | None = None

    def start(self) -> None:
        """Returns when the API server refuses by its word what is invalid."""
        self._create_crds()
        for name in (NAMESPACE, DEBUG_NAMESPACE):
            self._api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        process = self.run()
        self._register_webhook()
        wait_until("istiod's webhook", self._refuses, 30, process.check)

    def run(self, pod: str = "istiod-0") -> Process:
        """The program alone: one more replica, where all that a cluster needs of Istio is there already."""
        environment = self._environment() | {"POD_NAME": pod}
        self.process = Process(pod, self._command(), self._folder / f"{pod}.log", env=environment)
        self.process.wait(lambda: answers(f"{self.remote}/ready"), START_SECONDS)
        return self.process

    def _command(self) -> list[str]:
        mesh = self._folder / "mesh.yaml"
        mesh.write_text(yaml.safe_dump(MESH))
        made = self._certificates
        # pilot-discovery ignores flags that it does not know: look for what they do, never for an error.
        return [
            *(str(built(self._program)), "discovery", "--kubeconfig", str(self._kubeconfig), "--meshConfig", str(mesh)),
            *("--httpAddr", f"{self._address}:{self._http}", "--httpsAddr", f"{HOST}:{self._https}"),
            *("--grpcAddr", f"{HOST}:{self.xds}", "--secureGRPCAddr", "", "--monitoringAddr", f"{HOST}:{self.debug}"),
            *("--tlsCertFile", str(made.certificate), "--tlsKeyFile", str(made.key)),
            *("--caCertFile", str(made.authority), "--ctrlz_port", "0", "--shutdownDuration", "1s"),
        ]

    def _environment(self) -> dict[str, str]:
        ours = {"PILOT_DEBOUNCE_AFTER": self._debounce}
        return {"PATH": os.defpath, "HOME": str(self._folder)} | _SETTINGS | ours

    def _create_crds(self) -> None:
        text = (built(self._program).parent / Path(CRDS).name).read_text()
        made = [self._api.create(body) for body in yaml.safe_load_all(text)]
        names = {crd["metadata"]["name"] for crd in made}

        def established() -> bool:
            listed = self._api.get(place(made[0]))["items"]
            return names <= {crd["metadata"]["name"] for crd in listed if _is_established(crd)}

        wait_until("Istio's CRDs", established, 30)

    def _register_webhook(self) -> None:
        authority = base64.b64encode(self._certificates.authority.read_bytes()).decode()
        rule = {"operations": ["CREATE", "UPDATE"], "apiGroups": [*GROUPS], "apiVersions": ["*"], "resources": ["*"]}
        webhook = {
            "name": "validation.istio.io",
            "clientConfig": {"url": f"https://{HOST}:{self._https}/validate", "caBundle": authority},
            "rules": [rule],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
        }
        self._api.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "istiod-default-validator"},
                "webhooks": [webhook],
            }
        )

    def _refuses(self) -> bool:
        """Whether a VirtualService that names a host twice is refused; a dry run, nothing is kept."""
        body = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "webhook-probe", "namespace": NAMESPACE},
            "spec": {"hosts": ["probe", "probe"], "http": [{"directResponse": {"status": 200}}]},
        }
        try:
            self._api.create(body, dryRun="All")
        except ApiException as error:
            return "denied the request" in str(error.body)
        return False


def _is_established(crd: Document) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)
