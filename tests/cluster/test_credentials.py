"""What a worker proves itself by to the Kubernetes API is changed while it runs, as the runbook says: no restart."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import path
from delivery.ports.errors import Unavailable
from tests.cluster.front import Front
from tests.cluster.shop import NAME
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.testbed.accounts import token, write_kubeconfig
from tests.cluster.testbed.certificates import Client, make_client
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.pod_life import ROOT
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Wanted, Whole

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
SAID = "a cluster's kubeconfig, and the certificates and tokens in it | both count for a while: replace the file"
SECONDS = 60
COUNTED = "authentication_attempts{"
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Clients:
    """Which authorities of clients the API server takes, as a cluster's administrator changes it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._file = cluster.certificates.clients
        self._before = self._file.read_bytes()

    def are(self, *clients: Client) -> None:
        """Returns when it takes these, and none of the others that it is asked for here."""
        new = self._file.with_suffix(".new")
        new.write_bytes(b"".join([self._before, *(one.authority.read_bytes() for one in clients)]))
        new.rename(self._file)

    def back(self) -> None:
        self._file.write_bytes(self._before)


@pytest.fixture
def clients(cluster: Cluster) -> Iterator[Clients]:
    made = Clients(cluster)
    yield made
    made.back()


def put(source: Path, at: Path) -> None:
    """As whoever renews certificates does it: in one step."""
    new = at.with_suffix(".new")
    new.write_bytes(source.read_bytes())
    new.rename(at)


class Folder:
    """A kubeconfig that names its certificate and key as files, both replaced by `has`."""

    def __init__(self, cluster: Cluster, folder: Path, first: Client) -> None:
        self.certificate, self.key = folder / "worker.pem", folder / "worker.key"
        user = {"client-certificate": str(self.certificate), "client-key": str(self.key)}
        self.has(first)
        authority = cluster.certificates.authority
        self.kubeconfig = write_kubeconfig(folder / "worker.config", cluster.control_plane.url, authority, user)

    def has(self, client: Client) -> None:
        put(client.key, self.key)
        put(client.certificate, self.certificate)


def who(kube: Kube) -> str:
    """What the API server calls us."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    return str(kube._call("POST", ME, body)["status"]["userInfo"]["username"])


def is_refused(kube: Kube) -> bool:
    try:
        who(kube)
    except Unavailable as error:
        return "Unauthorized" in str(error)
    return False


@pytest.fixture
def kubes() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def opened(kubes: contextlib.ExitStack, kubeconfig: Path) -> Kube:
    found = Kube(str(kubeconfig))
    kubes.callback(found.close)
    return found


def test_a_client_certificate_is_replaced(
    cluster: Cluster, clients: Clients, tmp_path: Path, kubes: contextlib.ExitStack
) -> None:
    """Both authorities count while one replaces the other; then the old one is refused, and nobody was restarted."""
    assert SAID in RUNBOOK
    old, new = (make_client(tmp_path, name) for name in ("old", "new"))
    clients.are(old, new)
    (tmp_path / "stale").mkdir()
    folder, stale = Folder(cluster, tmp_path, old), Folder(cluster, tmp_path / "stale", old)
    worker, left_behind = opened(kubes, folder.kubeconfig), opened(kubes, stale.kubeconfig)
    wait_until("the API server takes it", lambda: not is_refused(worker), SECONDS, cluster.check)
    assert who(worker) == "old"
    folder.has(new)
    assert who(worker) == "new", "the files are read again"
    clients.are(new)
    wait_until("the old one is refused", lambda: is_refused(left_behind), SECONDS, cluster.check)
    assert who(worker) == "new"


def test_a_token_file_is_replaced(
    cluster: Cluster, namespace: str, tmp_path: Path, kubes: contextlib.ExitStack
) -> None:
    """A new token in the file counts at once; the old one ends with its account."""
    authority, file = cluster.certificates.authority, tmp_path / "token"
    file.write_text(token(cluster.api, namespace, "old"))
    user = {"tokenFile": str(file)}
    kubeconfig = write_kubeconfig(tmp_path / "worker.config", cluster.control_plane.url, authority, user)
    worker = opened(kubes, kubeconfig)
    left_behind = opened(
        kubes, write_kubeconfig(tmp_path / "o", cluster.control_plane.url, authority, file.read_text())
    )
    assert who(worker) == who(left_behind) == f"system:serviceaccount:{namespace}:old"
    (tmp_path / "next").write_text(token(cluster.api, namespace, "new"))
    put(tmp_path / "next", file)
    assert who(worker) == f"system:serviceaccount:{namespace}:new"
    cluster.api.delete(path("v1", "ServiceAccount", namespace, "old"))
    wait_until("the old one is refused", lambda: is_refused(left_behind), SECONDS, cluster.check)
    assert who(worker) == f"system:serviceaccount:{namespace}:new"


def test_a_file_that_is_half_written_is_none(cluster: Cluster, tmp_path: Path, kubes: contextlib.ExitStack) -> None:
    kubeconfig = tmp_path / "worker.config"
    text = cluster.kubeconfig.read_text()
    kubeconfig.write_text(text)
    worker = opened(kubes, kubeconfig)
    for half in ("", text[: len(text) // 2], "[]", "users: 1"):
        kubeconfig.write_text(half)
        assert who(worker) == "admin", "what was there goes on"
    kubeconfig.unlink()
    assert who(worker) == "admin"
    write_kubeconfig(kubeconfig, cluster.control_plane.url, cluster.certificates.authority, "wrong")
    assert is_refused(worker)
    kubeconfig.write_text(text)
    assert who(worker) == "admin"


@pytest.fixture
def front(cluster: Cluster, namespace: str) -> Front:
    """A shop whose pods take their time, so that its own Deployment is seen in the middle of rolling out."""
    front = Front(cluster, namespace)
    front.open(annotations={"ready-after": "3"})
    return front


def refusals(cluster: Cluster) -> int:
    """How often the API server did not know who asked, so far."""
    admin = Kube(str(cluster.kubeconfig))
    try:
        lines = admin.text("/metrics").splitlines()
    finally:
        admin.close()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(COUNTED) and 'result="error"' in line)


@pytest.mark.timeout(600)
def test_an_old_certificate_that_is_taken_out_too_early_delays_a_release_and_takes_nothing_back(
    cluster: Cluster, namespace: str, clients: Clients, tmp_path: Path, front: Front, load: Steady
) -> None:
    """In the wrong order: refused while the owners' Deployment rolls out, until the files are replaced."""
    old, new = (make_client(tmp_path, name) for name in ("old", "new"))
    clients.are(old, new)
    folder = Folder(cluster, tmp_path, old)
    whole = Whole(cluster, tmp_path, Wanted(namespace, kubeconfig=folder.kubeconfig))
    try:
        whole.start()
        whole.apply(NAME, front.service_file("[canary: {steps: [50%], bake: 1s, min_requests: 50}]"))
        stages = Stages(whole, whole.start_release("1.4.2"))
        stages.until("its own Deployment is given the version", lambda: front.image().endswith("1.4.2"), 90)
        before = refusals(cluster)
        clients.are(new)
        stages.until("it is refused several times", lambda: refusals(cluster) >= before + 5, 60)
        folder.has(new)
        assert stages.until_over() == "promoted", stages.now["text"]
    finally:
        whole.close()
    nothing_lost(load.stop())
    assert front.versions() == {"1.4.2"}
