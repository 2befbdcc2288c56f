from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.sandbox.ports import HOST
from tests.cluster.front import Front
from tests.cluster.steady import Steady
from tests.cluster.testbed.cluster import Cluster, running
from tests.cluster.whole import Wanted, Whole

RATE = 200


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One testbed for the whole run: it takes seconds to start."""
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, deleted with all that is in it."""
    cluster.check()
    name = f"test-{uuid4().hex[:8]}"
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def istiods(cluster: Cluster) -> Istiods:
    """One for the whole run: it takes seconds to know istiod's clock well."""
    return Istiods(Fixed((f"{HOST}:{cluster.istiod.debug}",)))


@pytest.fixture
def whole(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Whole]:
    """The whole service, with one worker, for this namespace."""
    whole = Whole(cluster, tmp_path, Wanted(namespace))
    try:
        whole.start()
        yield whole
    finally:
        whole.close()


@pytest.fixture
def front(cluster: Cluster, namespace: str) -> Front:
    """A shop whose 1.4.1 answers users."""
    front = Front(cluster, namespace)
    front.open()
    return front


@pytest.fixture
def load(cluster: Cluster, front: Front, tmp_path: Path) -> Iterator[Steady]:
    """RATE requests a second to the shop, all the time."""
    steady = Steady(cluster, tmp_path, front.host, RATE)
    yield steady
    steady.stop()
