"""Whole releases where Argo CD, or whoever follows a git repository, keeps what is in the cluster: nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import RATE
from tests.cluster.followed import Followed
from tests.cluster.shop import NAME
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Wanted, Whole

pytestmark = pytest.mark.timeout(600)

CANARY = "[canary: {steps: [20%, 50%], bake: 6s, min_requests: 50}]"


@pytest.fixture
def argocd(cluster: Cluster, namespace: str) -> Iterator[Followed]:
    """A shop whose chart says 1.4.1 unless the Application's parameter says another."""

    def tag(source: dict) -> str:
        given = (source.get("helm") or {}).get("parameters") or ()
        return next((one["value"] for one in given if one["name"] == "image.tag"), "1.4.1")

    front = Followed(cluster, namespace, tag)
    try:
        front.open()
        yield front
    finally:
        front.argo.stop()


def test_argo_cd_is_told_by_its_parameter_and_what_it_cannot_sync_goes_back(
    cluster: Cluster, argocd: Followed, tmp_path: Path
) -> None:
    promotion = f"promotion: {{via: argocd, application: {argocd.namespace}, parameter: image.tag}}"
    tables = {"deployers.argocd": {"kind": "argocd"}}
    whole = Whole(cluster, tmp_path, Wanted(argocd.namespace, tables=tables))
    load = Steady(cluster, tmp_path, argocd.host, RATE)
    try:
        whole.start()
        whole.apply(NAME, argocd.service_file(CANARY, promotion))
        stages = Stages(whole, whole.start_release("1.4.2"))
        stages.until_baking(20)
        assert argocd.parameters() == {}, "git's own value, until all requests are with the copy"
        assert stages.until_over() == "promoted", stages.now["text"]
        assert [stage.desired for stage in stages.found.values()][:2] == [20, 50]
        for stage in stages.found.values():
            stage.follows("1.4.2")
        assert argocd.parameters() == {"image.tag": "1.4.2"}
        assert argocd.image().endswith(":1.4.2")
        assert argocd.versions() == {"1.4.2"}

        argocd.argo.fails = "one or more objects failed to apply: admission webhook denied"
        failed = Stages(whole, whole.start_release("1.4.3"))
        assert failed.until_over() == "rolled_back", failed.now["text"]
        assert "admission webhook denied" in failed.now["cause"]["text"], failed.now["cause"]
        wait_until("its parameter is back", lambda: argocd.parameters() == {"image.tag": "1.4.2"}, 60)
        assert argocd.image().endswith(":1.4.2")
        assert argocd.versions() == {"1.4.2"}
    finally:
        load.stop()
        whole.close()
    nothing_lost(load.counts())
