"""The Metrics contract over a real Envoy that serves real requests."""

import http.client
import socket
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler

import pytest

from delivery.adapters.clock.system import SystemClock
from delivery.adapters.mesh.envoy import clusters
from delivery.adapters.mesh.envoy.adapter import EnvoyMesh
from delivery.adapters.mesh.envoy.files import CLUSTERS, ROUTES, Files, clusters_document, routes_document
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.adapters.metrics.envoy import EnvoyMetrics
from delivery.model.ids import ReleaseId, target_id
from delivery.model.traffic import Mirror, Traffic
from delivery.model.version import Backend, Endpoint, Lane, VersionRef
from delivery.ports.errors import Unavailable
from delivery.ports.mesh import Route, Stamp
from delivery.ports.metrics import Subject
from delivery.sandbox.envoy import LocalEnvoy, find_envoy
from delivery.testing.contracts.metrics import MetricsContract, arrived, copied, settled, since
from tests.serving import serving

TARGET = target_id("checkout", "local")
NOWHERE = "0.0.0"
TIMEOUT_SECONDS = 2


class Obedient(BaseHTTPRequestHandler):
    """Answers with the status and after the seconds that the request asks for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(float(self.headers.get("x-seconds", "0")))
        self.send_response(int(self.headers.get("x-status", "200")))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def subject(version: str, lane: Lane = Lane.PLAIN) -> Subject:
    return Subject(TARGET, Backend("checkout", VersionRef(version, version)), lane)


class EnvoyWorld:
    """Every request names the cluster that is to serve it, so that the test knows what each must have counted."""

    def __init__(self, directory, port: int) -> None:
        self.files = Files(directory / "files")
        self.files.prepare()
        subjects = [*map(subject, ("1.4.1", "1.4.2", "1.4.22")), copied(subject("1.4.1"))]
        known = [cluster for one in subjects for cluster in clusters.lanes(one.backend, (here(port),))]
        self._deaf = socket.socket()
        self._deaf.bind(("127.0.0.1", 0))  # taken, and nobody listens
        known += clusters.lanes(subject(NOWHERE).backend, (here(self._deaf.getsockname()[1]),))
        route = {
            "match": {"prefix": "/"},
            "route": {"cluster_header": "x-cluster", "timeout": f"{TIMEOUT_SECONDS}s"},
        }
        self.files.replace(CLUSTERS, clusters_document(known, 1))
        self.files.replace(ROUTES, routes_document([{"name": "any", "domains": ["*"], "routes": [route]}], 1))
        self.envoy = LocalEnvoy(directory / "envoy", self.files, concurrency=1, flush="0.1s")
        self.envoy.start()
        self.metrics = EnvoyMetrics(self.envoy.admin.address, SystemClock())

    def subject(self, version: str, lane: Lane = Lane.PLAIN) -> Subject:
        return subject(version, lane)

    def send(self, subject: Subject, requests: int, errors: int = 0, seconds: float = 0.0) -> None:
        name = subject.backend.lane(subject.lane)
        for number in range(requests):
            status = 503 if number < errors else 200
            headers = {"x-cluster": name, "x-status": str(status), "x-seconds": str(seconds)}
            assert self.ask(headers) == status

    def ask(self, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.envoy.port, timeout=10)
        try:
            connection.request("GET", "/", headers=headers)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def close(self) -> None:
        self.envoy.close()
        self._deaf.close()

    def restart(self) -> None:
        self.envoy.kill()
        self.envoy.start()

    def cut(self) -> None:
        self.envoy.kill()


def here(port: int) -> Endpoint:
    return Endpoint("127.0.0.1", port)


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    with serving(Obedient) as port:
        yield port


@pytest.fixture
def world(tmp_path, service) -> Iterator[EnvoyWorld]:
    world = EnvoyWorld(tmp_path, service)
    yield world
    world.close()


class TestEnvoyMetrics(MetricsContract):
    pass


def test_a_refused_connection_is_one_request_and_one_error(world):
    nowhere = subject(NOWHERE)
    for _ in range(3):
        assert world.ask({"x-cluster": nowhere.backend.name}) == 503
    assert arrived(world, nowhere, (3, 3)) == (3, 3)


def test_a_timeout_is_one_request_and_one_error(world):
    assert world.ask({"x-cluster": subject("1.4.2").backend.name, "x-seconds": str(TIMEOUT_SECONDS + 0.5)}) == 504
    assert arrived(world, subject("1.4.2"), (1, 1)) == (1, 1)


def test_a_client_s_mistake_is_no_error(world):
    assert world.ask({"x-cluster": subject("1.4.2").backend.name, "x-status": "404"}) == 404
    assert arrived(world, subject("1.4.2"), (1, 0)) == (1, 0)


def test_more_subjects_than_fit_one_call(world):
    many = [subject(f"0.{number}.1", lane) for number in range(500) for lane in Lane]
    world.send(subject("1.4.2"), 2)
    assert arrived(world, subject("1.4.2"), (2, 0)) == (2, 0)
    samples = world.metrics.sample([*many, subject("1.4.2")])
    assert len(samples) == 1501
    assert samples[subject("1.4.2")].series["envoy"].requests == 2


def test_an_admin_that_says_something_else_is_unavailable(service):
    metrics = EnvoyMetrics(f"127.0.0.1:{service}", SystemClock())
    with pytest.raises(Unavailable, match="does not say when it started"):
        metrics.sample([subject("1.4.1")])


@pytest.mark.parametrize("methods", [(), ("GET",)])
def test_copies_of_the_real_mesh_are_counted_in_their_own_lane(world, service, methods):
    mesh = EnvoyMesh("local", world.files, [world.envoy.admin], Validator(find_envoy()))
    stable, candidate = subject("2.0.0").backend, subject("2.0.1").backend
    for backend in (stable, candidate):
        assert settled(partial(mesh.publish, TARGET, backend, (here(service),)), True)
    release = ReleaseId("rel_1")
    route = Route(TARGET, "checkout", stable, candidate, Traffic(mirror=Mirror(100, methods)))
    mesh.write(route, Stamp(1, release, 3, 3, "head"), mesh.read(TARGET).revision)
    assert settled(lambda: mesh.confirm(TARGET, release, 3).proven, True)
    for _ in range(20):
        assert world.ask({"host": "checkout"}) == 200
    originals = Lane.SHADOWED if methods else Lane.PLAIN
    wanted = {("2.0.0", originals): 20, ("2.0.1", Lane.SHADOW): 20}
    seen = [(version, lane) for version in ("2.0.0", "2.0.1") for lane in Lane]
    assert (
        settled(lambda: {at: number for at in seen if (number := since(world, {}, subject(*at)).requests)}, wanted)
        == wanted
    )
