"""etcd, kube-apiserver and kube-controller-manager as plain processes on loopback."""

import secrets
import ssl
import urllib.request
from pathlib import Path

from delivery.sandbox.ports import HOST, free_port
from tests.cluster.testbed.accounts import write_kubeconfig
from tests.cluster.testbed.certificates import Certificates
from tests.cluster.testbed.process import Process
from tools.cluster_build import Program, built

START_SECONDS = 60.0
"""The API server takes 5 s on a quiet machine of two cores."""
CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "endpointslice-controller",
    "horizontal-pod-autoscaler-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "disruption-controller",
    "job-controller",
)


class ControlPlane:
    """What a kubectl would talk to. `kubeconfig` is the path of an administrator's."""

    def __init__(self, folder: Path, programs: dict[str, Program], certificates: Certificates) -> None:
        self._folder = folder
        self._programs = programs
        self._certificates = certificates
        self._processes: list[Process] = []
        self._token = secrets.token_hex(16)
        self.kubeconfig = folder / "kubeconfig"
        self.url = ""

    def start(self) -> None:
        etcd = self._start_etcd()
        self._start_api_server(etcd)
        self._start("kube-controller-manager", *_controller_manager(self.kubeconfig))

    def processes(self) -> tuple[Process, ...]:
        return tuple(self._processes)

    def _start(self, name: str, *arguments: str) -> Process:
        process = Process(name, [str(built(self._programs[name])), *arguments], self._folder / f"{name}.log")
        self._processes.append(process)
        return process

    def _start_etcd(self) -> str:
        client = free_port()
        url, peer = f"http://{HOST}:{client}", f"http://{HOST}:{free_port(taken=(client,))}"
        listen = (f"--listen-client-urls={url}", f"--advertise-client-urls={url}", f"--listen-peer-urls={peer}")
        peers = (f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}")
        data = f"--data-dir={self._folder / 'etcd'}"
        self._start("etcd", data, *listen, *peers, "--unsafe-no-fsync", "--log-level=warn").wait(
            lambda: answers(f"{url}/health"), START_SECONDS
        )
        return url

    def _start_api_server(self, etcd: str) -> None:
        port, made = free_port(), self._certificates
        self.url = f"https://{HOST}:{port}"
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f'{self._token},admin,1,"system:masters"\n')
        tokens.chmod(0o600)
        write_kubeconfig(self.kubeconfig, self.url, made.authority, self._token)
        ours = ssl.create_default_context(cafile=str(made.authority))
        ready = urllib.request.Request(f"{self.url}/readyz", headers={"authorization": f"Bearer {self._token}"})
        self._start(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            *(f"--bind-address={HOST}", f"--advertise-address={HOST}", f"--secure-port={port}"),
            "--endpoint-reconciler-type=none",
            *(f"--tls-cert-file={made.certificate}", f"--tls-private-key-file={made.key}"),
            *(f"--token-auth-file={tokens}", f"--client-ca-file={made.clients}", "--authorization-mode=RBAC"),
            f"--service-account-issuer={self.url}/",
            f"--service-account-key-file={made.accounts_key}",
            f"--service-account-signing-key-file={made.accounts_key}",
            # No controller of the testbed makes the accounts and tokens that it would wait for.
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged",
        ).wait(lambda: answers(ready, ours), START_SECONDS)


def _controller_manager(kubeconfig: Path) -> tuple[str, ...]:
    controllers = f"--controllers={','.join(CONTROLLERS)}"
    often = "--horizontal-pod-autoscaler-sync-period=1s"  # 15 s by default
    return (f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0", controllers, often)


def answers(request: str | urllib.request.Request, context: ssl.SSLContext | None = None) -> bool:
    """Whether something answers with 200."""
    try:
        with urllib.request.urlopen(request, timeout=2.0, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
