"""A version goes home through a real git repository, which something like Argo CD follows, on a real API server."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.adapters.git.configured import repository
from delivery.adapters.kube.objects import path
from delivery.adapters.workloads.gitops.adapter import GitDeployer
from delivery.adapters.workloads.gitops.configured import entries
from delivery.adapters.workloads.kubernetes.adapter import KubernetesWorkloads
from delivery.model.place import Promotion
from delivery.model.version import VersionRef
from delivery.ports.errors import Conflict
from tests.cluster import shop as chart
from tests.cluster.shop import NAME, NEW, OLD, TARGET, Shop
from tests.cluster.testbed import argocd
from tests.cluster.testbed.api import Document
from tests.cluster.testbed.argocd import LittleArgo
from tests.cluster.testbed.cluster import Cluster
from tests.git_server import GitServer

FILE = "apps/checkout/values.yaml"
VALUES = (
    "# production\nreplicas:   1\nimage: {repository: registry.example/checkout,  tag: '1.4.1'}   # set by releases\n"
)
SOURCE = {"repoURL": "https://git.example.org/shop.git", "path": "apps/checkout", "targetRevision": "main"}


class Followed(Shop):
    """A shop whose Deployment follows a repository."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        super().__init__(cluster, namespace)
        argocd.install(cluster.api)
        self.git = GitServer(folder, {FILE: VALUES, "README": "hello\n"})
        self.place = dataclasses.replace(self.place, promotion=Promotion.GIT)
        self.workloads = KubernetesWorkloads(self.kube, [namespace])
        self.deployer, self.other = (self._deployer(folder / name) for name in ("w1", "w2"))
        self.argo = LittleArgo(cluster.api, namespace, self.render)
        cluster.api.create(
            argocd.application(namespace, SOURCE, namespace, syncPolicy={"automated": {"selfHeal": True}})
        )
        self.argo.start()
        self.create(chart.service(namespace))
        self.until(lambda: self.kube.find(path("apps/v1", "Deployment", namespace, NAME)) is not None)
        self.until(self.has_rolled_out)

    def _deployer(self, directory: Path) -> GitDeployer:
        named = entries({"checkout": {"path": FILE, "key": "image.tag"}})
        return GitDeployer(self.kube, [self.namespace], repository(self.git.url, "main", str(directory)), named)

    def render(self, source: Document) -> list[Document]:
        """What the head of the branch says."""
        tag = yaml.safe_load(self.git.read(FILE))["image"]["tag"]
        self.argo.revision = self.git.head()
        made = chart.deployment(self.namespace, 1, {}, VersionRef.of(tag, f"registry.example/checkout:{tag}"))
        for key in ("labels", "annotations"):
            del made["metadata"][key]
        return [made]

    def bring(self, version: VersionRef, token: str, still: Callable[[], bool] = lambda: True) -> Any:
        return self.deployer.bring(TARGET, self.workload, version, still, token)

    def until_home(self, version: VersionRef, token: str) -> None:
        def home() -> bool:
            found = self.bring(version, token)
            assert found.failing is None, found.failing
            return bool(found.ready and self.workloads.look(TARGET, self.workload, version, home=True).ready)

        self.until(home)


@pytest.fixture
def shop(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Followed]:
    found = Followed(cluster, namespace, tmp_path)
    yield found
    found.argo.stop()
    found.kube.close()


def test_a_version_goes_home_by_a_commit_and_back_by_another(shop: Followed) -> None:
    shop.until_home(NEW, "rel_1/5")
    assert shop.git.read(FILE) == VALUES.replace("1.4.1", "1.4.2")
    assert shop.image() == NEW.image
    shop.until_home(OLD, "rel_1/6")
    assert shop.git.read(FILE) == VALUES
    subjects = [line.partition(" ")[2] for line in shop.git.log()]
    assert subjects == ["checkout: 1.4.1", "checkout: 1.4.2", "the beginning"]
    for _ in range(3):
        assert shop.bring(OLD, "rel_1/6").ready
    assert len(shop.git.log()) == 3, "asked again, nothing is committed"


def test_a_push_of_somebody_else_in_between_wins_and_is_kept(shop: Followed) -> None:
    def meanwhile() -> bool:
        shop.git.commit("a typo", {"README": "hello you\n"})
        return True

    with pytest.raises(Conflict):
        shop.bring(NEW, "rel_1/5", still=meanwhile)
    assert shop.git.read(FILE) == VALUES
    shop.until_home(NEW, "rel_1/5")
    assert shop.git.read("README") == "hello you\n"


def test_a_decision_that_comes_late_commits_nothing(shop: Followed) -> None:
    """The newer one found that nothing has to change, and committed nothing either."""

    def meanwhile() -> bool:
        assert not shop.other.bring(TARGET, shop.workload, OLD, lambda: True, "rel_1/6").ready
        return True

    with pytest.raises(Conflict):
        shop.bring(NEW, "rel_1/5", still=meanwhile)
    assert len(shop.git.log()) == 1
    with pytest.raises(Conflict):
        shop.bring(NEW, "rel_1/7", still=lambda: False)
    assert len(shop.git.log()) == 1


def test_a_branch_that_takes_no_pushes_is_told_in_its_words(shop: Followed) -> None:
    shop.git.refuses("GH006: Protected branch update failed: changes must be made through a pull request")
    found = shop.bring(NEW, "rel_1/5")
    assert "must be made through a pull request" in str(found.failing)


def test_somebody_who_keeps_setting_it_back_wins(shop: Followed) -> None:
    for _ in range(3):
        assert not shop.bring(NEW, "rel_1/5").ready
        shop.git.commit("back", {FILE: VALUES})
    assert "3 times and set back to 1.4.1" in str(shop.bring(NEW, "rel_1/5").failing)


def test_another_version_that_came_meanwhile_is_not_overwritten(shop: Followed) -> None:
    shop.workloads.ensure(TARGET, shop.workload, NEW)
    shop.git.commit("1.4.9", {FILE: VALUES.replace("1.4.1", "1.4.9")})
    shop.until(lambda: shop.image().endswith(":1.4.9"))
    assert "and not registry.example/checkout:1.4.1 as when this release began" in str(
        shop.bring(NEW, "rel_1/5").failing
    )
    assert "1.4.9" in shop.git.read(FILE)


def test_a_service_that_the_server_does_not_name_is_committed_nowhere(shop: Followed) -> None:
    found = shop.deployer.bring("cart@local", shop.workload, NEW, lambda: True, "rel_1/5")  # type: ignore[arg-type]
    assert "for no file where cart stands in git; it has: checkout" in str(found.failing)
