from collections.abc import Iterator
from uuid import uuid4

import pytest

from delivery.adapters.mesh.istio.istiod import Istiods
from delivery.adapters.mesh.istio.proxies import Fixed
from delivery.sandbox.ports import HOST
from tests.cluster.testbed.cluster import Cluster, running


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
