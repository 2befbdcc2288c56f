"""The whole testbed: a Kubernetes API, Istio, a gateway, a node that runs real pods. All of it ends with the block."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from delivery.sandbox.ports import HOST
from tests.cluster.testbed.api import Api, Document
from tests.cluster.testbed.certificates import make_certificates
from tests.cluster.testbed.control_plane import ControlPlane
from tests.cluster.testbed.fault_proxy import FaultProxy, kubeconfig_through, proxying
from tests.cluster.testbed.gateway import LABELS, Gateway
from tests.cluster.testbed.istiod import DEBOUNCE, NAMESPACE, Istiod
from tests.cluster.testbed.monitoring import jobs
from tests.cluster.testbed.network import PodNetwork
from tests.cluster.testbed.node import NAME
from tests.cluster.testbed.pod_life import ROOT
from tests.cluster.testbed.process import Process, wait_until
from tests.prometheus import Prometheus
from tools.cluster_build import built, programs

START_SECONDS = 30.0
GATEWAY = f"{NAMESPACE}/ingress"
"""The Gateway object that is there from the start, for every host: what a VirtualService names in `gateways`."""


class Cluster:
    """Starts nothing by being made; see `running`."""

    def __init__(self, folder: Path, debounce: str = DEBOUNCE) -> None:
        self.folder = folder
        self._programs = {program.name: program for program in programs()}
        for program in self._programs.values():
            built(program)  # before anything is started
        self._targets = folder / "targets.json"
        self._debounce = debounce
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Raises CannotRun; then call `close`."""
        self.certificates = certificates = make_certificates(self.folder / "certificates")
        self.network = PodNetwork(self.folder / "network.log")
        self._stack.callback(self.network.close)
        self.control_plane = ControlPlane(self.folder, self._programs, certificates)
        self._stack.callback(self._stop_control_plane)
        self.control_plane.start()
        self.api = Api(self.kubeconfig)
        self._stack.callback(self.api.close)
        self._start_node()
        self.istiod = self._istiod(self.folder)
        self._stack.callback(lambda: _stop(self.istiod.process))
        self.istiod.start()
        self.gateway = Gateway(self.folder, self.istiod.xds)
        self._stack.callback(lambda: _stop(self.gateway.process))
        self.gateway.start()
        self.api.create(gateway_object(self.gateway.port))
        self._start_prometheus()
        wait_until("the gateway's listener", self.gateway.listens, START_SECONDS, self.check)

    @property
    def kubeconfig(self) -> Path:
        return self.control_plane.kubeconfig

    @contextlib.contextmanager
    def faults(self) -> Iterator[tuple[FaultProxy, Path]]:
        """A proxy before the API server that fails as it is told, and a kubeconfig that goes through it."""
        with proxying(self.control_plane.url, self.certificates) as proxy:
            path = self.folder / f"kubeconfig-{proxy.server_port}"
            yield proxy, kubeconfig_through(proxy, self.kubeconfig, path)

    @contextlib.contextmanager
    def replica(self, folder: Path) -> Iterator[Istiod]:
        """A second istiod beside the first, with a folder of its own."""
        istiod = self._istiod(folder)
        try:
            istiod.run("istiod-1")
            yield istiod
        finally:
            _stop(istiod.process)

    def check(self) -> None:
        """Raises CannotRun where a program of it has ended."""
        ours = (self.node, self.istiod.process, self.gateway.process, self.prometheus.process)
        for process in (*self.control_plane.processes(), *ours):
            if process is not None:
                process.check()

    def close(self) -> None:
        """Ends everything, last started first. Idempotent."""
        self._stack.close()

    def _istiod(self, folder: Path) -> Istiod:
        program, address = self._programs["pilot-discovery"], self.network.host
        return Istiod(folder, program, self.kubeconfig, self.api, self.certificates, address, self._debounce)

    def _start_node(self) -> None:
        logs = self.folder / "pods"
        logs.mkdir()
        command = [sys.executable, "-m", "tests.cluster.testbed.node", "--kubeconfig", str(self.kubeconfig)]
        command += ["--address", self.network.node, "--holder", str(self.network.holder), "--logs", str(logs)]
        command += ["--targets", str(self._targets)]
        self.node = Process("node", command, self.folder / "node.log", cwd=ROOT)
        self._stack.callback(self.node.stop)
        self.node.wait(self._has_node, START_SECONDS)

    def _start_prometheus(self) -> None:
        scraped = jobs(self._targets, self.gateway.admin, self.istiod.debug)
        self.prometheus = Prometheus(self.folder, scraped)
        self._stack.callback(self.prometheus.stop)
        self.prometheus.start()

    def _has_node(self) -> bool:
        nodes = self.api.get("/api/v1/nodes")["items"]
        return any(node["metadata"]["name"] == NAME and node["status"].get("conditions") for node in nodes)

    def _stop_control_plane(self) -> None:
        processes = self.control_plane.processes()
        for process in processes[1:]:  # etcd, the first, goes when nobody asks it any more
            process.terminate()
        for process in reversed(processes):
            process.stop()


def gateway_object(port: int) -> Document:
    """A Gateway that listens on loopback alone."""
    server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "bind": HOST, "hosts": ["*"]}
    namespace, name = GATEWAY.split("/")
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": LABELS, "servers": [server]},
    }


def _stop(process: Process | None) -> None:
    if process is not None:
        process.stop()


@contextlib.contextmanager
def running(folder: Path, debounce: str = DEBOUNCE) -> Iterator[Cluster]:
    """A testbed in `folder`, which has to be there and empty. In the main thread, whose end ends the programs."""
    cluster = Cluster(folder, debounce)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
