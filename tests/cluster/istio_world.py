"""The contract's world on the testbed: versions are pods, users come through the gateway, and pods count."""

import asyncio
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.istio import hosts, stamps
from delivery.adapters.mesh.istio.adapter import IstioMesh
from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proof import Gateway, Proof
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.model.ids import TargetId
from delivery.model.place import Isolation, Mode, Place, deployments_of, host, object_name
from delivery.model.version import Backend, Endpoint, Lane, VersionRef
from delivery.sandbox.client import Call, Client
from delivery.sandbox.load import Load, Wish
from delivery.sandbox.ports import HOST
from delivery.testing.contracts.mesh_values import RELEASE, Asked, Case, Reply
from tests.cluster import objects, wire
from tests.cluster.testbed.cluster import GATEWAY, Cluster
from tests.users import Users, cookie

T = TypeVar("T")
LIMIT = 30.0  # seconds that no healthy mesh needs
AT_ONCE = 32
LOAD_RATE = 200.0
ISTIO = objects.ISTIO


class IstioWorld:
    """Closed by `close`. Its namespace is its own; gateway, istiod and API server are those of the whole run.

    `places` says where a service is, if not where the contract's are.
    """

    cluster = "testbed"

    def __init__(
        self, testbed: Cluster, namespace: str, istiods: Istiods, isolation: Isolation = Isolation.SERVICE
    ) -> None:
        self.testbed = testbed
        self.namespace = namespace
        self.isolation = isolation
        self.places: dict[str, Place] = {}
        self._istiods = istiods
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._meshes: list[IstioMesh] = []
        self.mesh, self.other = self.connect(), self.connect()
        self._client = Client(HOST, testbed.gateway.port)
        self._frozen = False

    def connect(
        self,
        *,
        kubeconfig: Path | None = None,
        probing: bool = True,
        istiods: Istiods | None = None,
        tagged: bool = False,
        gateways: Mapping[str, Gateway] | None = None,
    ) -> IstioMesh:
        """The mesh as one more worker has it; one that cannot reach the gateway, or asks istiod as somebody else."""
        asked = {GATEWAY: Gateway(Fixed((f"{HOST}:{self.testbed.gateway.port}",)))} if probing else {}
        proof = Proof(asked if gateways is None else gateways, istiods or self._istiods)
        mesh = self._made(str(kubeconfig or self.testbed.kubeconfig), proof, tagged)
        self._meshes.append(mesh)
        return mesh

    def _made(self, kubeconfig: str, proof: Proof, tagged: bool) -> IstioMesh:
        return IstioMesh(self.cluster, Kube(kubeconfig), self.place, proof, tagged=tagged)

    def close(self) -> None:
        if self._frozen:
            self.thaw()
        for mesh in self._meshes:
            mesh.close()
        self.do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _close(self) -> None:
        self._client.close()
        await asyncio.sleep(0)  # cut connections are let go of in the next round

    def place(self, target: TargetId) -> Place:
        service = target.rpartition("@")[0]
        candidate = f"{service}-{{version}}"
        return self.places.get(service) or Place(
            self.namespace, service, service, Mode.VERSIONED, self.isolation, candidate=candidate
        )

    def host(self, service: str) -> str:
        """What users ask for."""
        return f"{service}.{self.namespace}.example.com"

    def virtual_service(self, service: str) -> dict[str, Any]:
        """As its owners have written it: everything to the one Service, or to a subset of theirs."""
        subset = {"subset": "owners"} if self.isolation is Isolation.SUBSET else {}
        entry = {"destination": {"host": service, "port": {"number": 80}, **subset}}
        return {
            "apiVersion": ISTIO,
            "kind": "VirtualService",
            "metadata": {"name": service, "namespace": self.namespace},
            "spec": {"hosts": [self.host(service)], "gateways": [GATEWAY], "http": [{"route": [entry]}]},
        }

    def run(self, service: str, version: str) -> Backend:
        """Behind a Service of its own, or by its label behind the one of all."""
        return self._start(Backend(service, VersionRef(version, version)))

    def copy(self, backend: Backend) -> Backend:
        return self._start(Backend(backend.service, backend.version.copy_for(RELEASE)))

    def _start(self, backend: Backend) -> Backend:
        self.own(backend.service)
        name = object_name(backend)
        labels = self._labels(backend)
        deployment = objects.deployment(
            self.namespace, backend.service, backend.version.version, annotations={"linger": "0"}
        )
        deployment["metadata"]["name"] = self._deployment(backend)
        deployment["spec"]["selector"] = {"matchLabels": labels}
        deployment["spec"]["template"]["metadata"]["labels"] = labels
        if self.isolation is Isolation.SERVICE:
            self.ensure(objects.service(self.namespace, name))
        self.ensure(deployment)
        self.until(lambda: any(wire.is_ready(pod) for pod in self._pods(backend)))
        return backend

    def _deployment(self, backend: Backend) -> str:
        """What the Deployment is called by which a subset's labels are found."""
        if self.isolation is Isolation.SERVICE:
            return object_name(backend)
        return deployments_of(self.place(TargetId(f"{backend.service}@{self.cluster}")), backend)[0]

    def _labels(self, backend: Backend) -> dict[str, str]:
        if self.isolation is Isolation.SERVICE:
            return {"app": object_name(backend), "version": backend.version.version}
        version = object_name(backend) if backend.version.is_copy else backend.version.version
        return {"app": backend.service, "version": version}

    def endpoints(self, backend: Backend) -> tuple[Endpoint, ...]:
        place = self.place(TargetId(f"{backend.service}@{self.cluster}"))
        return (Endpoint(host(place, object_name(backend)), 80),)

    def end(self, backend: Backend) -> None:
        addresses = [pod["status"]["podIP"] for pod in self._pods(backend)]
        at = path("apps/v1", "Deployment", self.namespace, self._deployment(backend))
        self.testbed.api.delete(at, propagationPolicy="Background")
        self.until(lambda: not any(map(_listens, addresses)))
        self.until(lambda: not self._pods(backend))

    def asked(self, backend: Backend) -> Asked:
        """Istio does not mark copies. All requests of a version are either users' or copies in these tests: which, the
        gateway's own count of the lane for copies tells."""
        methods: Counter[str] = Counter()
        for pod in self._pods(backend):
            with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{objects.PORT}/_stats", timeout=5) as answer:
                methods.update(json.load(answer)["methods"])
        all_of_them, copies = tuple(methods.elements()), self._requests(backend, Lane.SHADOW)
        # Counted after the pods: copies may still be under way.
        assert copies == 0 or copies >= len(all_of_them), "users' requests and copies cannot be told apart at the pod"
        return Asked((), all_of_them) if copies else Asked(all_of_them)

    def send(self, requests: Sequence[Request]) -> list[Reply]:
        return self.do(self._send(requests))

    async def _send(self, requests: Sequence[Request]) -> list[Reply]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(request: Request) -> Reply:
            headers = dict(request.headers)
            if request.cookies:
                headers["cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
            call = Call(self.host(request.service), request.path, request.method, headers)
            async with places:
                reply = await self._client.call(call)
            return Reply(reply.status, reply.version, dict(map(cookie, reply.cookies)))

        return list(await asyncio.gather(*map(one, requests)))

    @contextmanager
    def load(self, service: str) -> Iterator[Users]:
        users = Users(self.loop, Load(HOST, self.testbed.gateway.port, Wish(self.host(service), LOAD_RATE)), self.until)
        try:
            yield users
        finally:
            users.end()

    def freeze(self) -> None:
        assert self.testbed.gateway.process is not None
        os.kill(self.testbed.gateway.process.pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        assert self.testbed.gateway.process is not None
        os.kill(self.testbed.gateway.process.pid, signal.SIGCONT)
        self._frozen = False

    def edit(self, target: TargetId, candidate_weight: int) -> None:
        service = target.rpartition("@")[0]

        def change(document: dict[str, Any]) -> None:
            written = stamps.read(document, service)
            assert written is not None
            entries = {hosts.label_of(one, self.namespace): one for one in document["spec"]["http"][-1]["route"]}
            stable, candidate = entries[str(written.stable)], entries[str(written.candidate)]
            stable["weight"] += candidate["weight"] - candidate_weight
            candidate["weight"] = candidate_weight

        self.change(target, change)

    def strip(self, target: TargetId) -> None:
        service = target.rpartition("@")[0]
        self.change(target, lambda document: document["metadata"]["annotations"].pop(stamps.key(service)))

    def pause(self, target: TargetId, reason: str | None) -> None:
        """By the annotation, as a person at night does."""

        def change(found: dict[str, Any]) -> None:
            annotations = found["metadata"].setdefault("annotations", {})
            annotations.pop(stamps.PAUSE, None)
            annotations.update({stamps.PAUSE: reason} if reason else {})

        self.change_unseen(target.rpartition("@")[0], change)
        seen = self.mesh.read(target).seen
        if seen.content:
            self.until(lambda: all(mesh.observe().get(target) == seen for mesh in (self.mesh, self.other)))

    def change(self, target: TargetId, change: Callable[[dict[str, Any]], object]) -> None:
        """Somebody edits the VirtualService. Returns when both workers' watches have seen it."""
        before = [mesh.observe().get(target) for mesh in (self.mesh, self.other)]
        self.change_unseen(target.rpartition("@")[0], change)
        pairs = tuple(zip((self.mesh, self.other), before, strict=True))
        self.until(lambda: all(mesh.observe().get(target) != was for mesh, was in pairs))

    def open_inside(self, target: TargetId) -> None:
        """Callers in the mesh reach the service by its own name, as users do through the gateway."""
        name = target.rpartition("@")[0]
        service = host(self.place(target), name)

        def inside(found: dict[str, Any]) -> None:
            found["spec"]["hosts"].append(service)
            found["spec"]["gateways"].append("mesh")

        self.change_unseen(name, inside)

    def change_unseen(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """The same, without a wait: to what nobody watches for."""
        found = self.stored(name)
        change(found)
        self.testbed.api.replace(found)

    def stored(self, name: str) -> dict[str, Any]:
        """The VirtualService as it is now."""
        return self.testbed.api.get(path(ISTIO, "VirtualService", self.namespace, name))

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, f"it did not come true within {LIMIT:g} s"
            time.sleep(0.02)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def own(self, service: str) -> None:
        """What the service's owners have: a Service, and a VirtualService that sends all to it, where no pod is.

        Users see nothing of it: the first probes come before our route does, and would be counted.
        """
        owners = objects.service(self.namespace, service)
        if self.isolation is Isolation.SERVICE:
            owners["spec"]["selector"] = {"app": service, "owner": "nobody"}
        else:
            rule = objects.destination_rule(self.namespace, service)
            rule["spec"]["subsets"] = [{"name": "owners", "labels": {"version": "none"}}]
            self.ensure(rule)
        self.ensure(owners)
        self.ensure(self.virtual_service(service))

    def declare(self, service: str = "checkout") -> Case:
        """Two versions that proxies know, without a pod: for whoever only writes routes."""
        stable, candidate = (Backend(service, VersionRef(label, label)) for label in ("1.4.1", "1.4.2"))
        self.own(service)
        for backend in (stable, candidate):
            self.declare_lanes(backend)
        return Case(self, service, stable, candidate)

    def declare_lanes(self, backend: Backend) -> None:
        for lane in Lane:
            self.ensure(objects.service(self.namespace, object_name(backend, lane)))

    def ensure(self, body: dict[str, Any]) -> None:
        at = path(body["apiVersion"], body["kind"], self.namespace)
        if body["metadata"]["name"] not in {each["metadata"]["name"] for each in self.testbed.api.get(at)["items"]}:
            self.testbed.api.create(body)

    def _pods(self, backend: Backend) -> list[dict[str, Any]]:
        selector = ",".join(f"{key}={value}" for key, value in self._labels(backend).items())
        listed = self.testbed.api.get(path("v1", "Pod", self.namespace), labelSelector=selector)["items"]
        return [pod for pod in listed if pod.get("status", {}).get("podIP")]

    def _requests(self, backend: Backend, lane: Lane) -> int:
        place = self.place(TargetId(f"{backend.service}@{self.cluster}"))
        subset = object_name(backend, lane) if self.isolation is Isolation.SUBSET else ""
        name = host(place, place.service if subset else object_name(backend, lane))
        wanted = quote(f"^cluster.{re.escape(f'outbound|80|{subset}|{name}')};?.upstream_rq_total$")
        stats = self.testbed.gateway.get(f"/stats?format=json&filter={wanted}")["stats"]
        return sum(int(stat["value"]) for stat in stats if "value" in stat)


def running(
    testbed: Cluster, namespace: str, istiods: Istiods, isolation: Isolation = Isolation.SERVICE
) -> Iterator[IstioWorld]:
    """A world for a fixture."""
    world = IstioWorld(testbed, namespace, istiods, isolation)
    try:
        yield world
    finally:
        world.close()


def _listens(address: str) -> bool:
    try:
        with socket.create_connection((address, objects.PORT), timeout=0.5):
            return True
    except OSError:
        return False
