"""Whole releases where Argo CD, or whoever follows a git repository, keeps what is in the cluster: nothing is lost."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from delivery.adapters.kube.objects import Document
from delivery.adapters.mesh.istio import delegate, stamps
from delivery.model.version import VersionRef
from tests.cluster.conftest import RATE
from tests.cluster.followed import Followed, InGit
from tests.cluster.front import Front
from tests.cluster.git_world import FOLDER
from tests.cluster.shop import NAME, NEW
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.test_e2e_trouble import Route, every_second, rising, types
from tests.cluster.testbed import accounts
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Wanted, Whole
from tests.git_server import GitServer

pytestmark = pytest.mark.timeout(600)

CANARY = "[canary: {steps: [20%, 50%], bake: 6s, min_requests: 50}]"
LONG = "[canary: {steps: [25%, 50%], bake: 5m, min_requests: 50}]"
VALUES = "# production\nimage: {repository: registry.example/checkout,  tag: '1.4.1'}   # set by releases\n"
FILE = "apps/checkout/values.yaml"


@contextlib.contextmanager
def running(
    front: Front, folder: Path, tables: Mapping[str, Mapping[str, object]], kubeconfig: Path | None = None
) -> Iterator[Whole]:
    """The whole service, and users who ask all the time: in the end all of them were answered."""
    whole = Whole(front.cluster, folder, Wanted(front.namespace, kubeconfig, tables=tables))
    load = Steady(front.cluster, folder, front.host, RATE)
    try:
        whole.start()
        yield whole
    finally:
        counts = load.stop()
        whole.close()
    nothing_lost(counts)


def follows(stages: Stages, version: str) -> None:
    """It was promoted, and pods had of each stage what it wants."""
    assert stages.until_over() == "promoted", stages.now["text"]
    assert [stage.desired for stage in stages.found.values()][:2] == [20, 50]
    for stage in stages.found.values():
        stage.follows(version)


@pytest.fixture
def told(cluster: Cluster, namespace: str) -> Iterator[Followed]:
    """A shop whose chart says 1.4.1 unless the Application's parameter says another."""

    def tag(source: Document) -> str:
        given = (source.get("helm") or {}).get("parameters") or ()
        return next((one["value"] for one in given if one["name"] == "image.tag"), "1.4.1")

    front = Followed(cluster, namespace, tag)
    try:
        front.open()
        yield front
    finally:
        front.argo.stop()


def test_argo_cd_is_told_by_its_parameter_and_what_it_cannot_sync_goes_back(told: Followed, tmp_path: Path) -> None:
    promotion = f"promotion: {{via: argocd, application: {told.namespace}, parameter: image.tag}}"
    with running(told, tmp_path, {"deployers.argocd": {"kind": "argocd"}}) as whole:
        whole.apply(NAME, told.service_file(CANARY, promotion))
        stages = Stages(whole, whole.start_release("1.4.2"))
        stages.until_baking(20)
        assert told.parameters() == {}, "git's own value, until all requests are with the copy"
        follows(stages, "1.4.2")
        assert told.parameters() == {"image.tag": "1.4.2"}
        assert told.image() == NEW.image
        assert told.versions() == {"1.4.2"}

        told.argo.fails = "one or more objects failed to apply: admission webhook denied"
        failed = Stages(whole, whole.start_release("1.4.3"))
        assert failed.until_over() == "rolled_back", failed.now["text"]
        assert "admission webhook denied" in failed.now["cause"]["text"], failed.now["cause"]
        wait_until("its parameter is back", lambda: told.parameters() == {"image.tag": "1.4.2"}, 60)
        assert told.image() == NEW.image
        assert told.versions() == {"1.4.2"}


def test_a_version_goes_home_by_a_commit_and_an_aborted_one_is_never_committed(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    git = GitServer(tmp_path, {FILE: VALUES, "README": "hello\n"})
    front = Followed(cluster, namespace, lambda source: str(yaml.safe_load(git.read(FILE))["image"]["tag"]))
    services = {NAME: {"path": FILE, "key": "image.tag"}}
    table = {"kind": "git", "url": git.url, "directory": str(tmp_path / "w1"), "services": services}
    try:
        front.open()
        with running(front, tmp_path, {"deployers.git": table}) as whole:
            whole.apply(NAME, front.service_file(CANARY, "promotion: {via: git}"))
            good = whole.start_release("1.4.2")
            stages = Stages(whole, good)
            stages.until_baking(20)
            assert git.read(FILE) == VALUES
            follows(stages, "1.4.2")
            assert git.read(FILE) == VALUES.replace("1.4.1", "1.4.2")
            assert front.image() == NEW.image
            assert front.versions() == {"1.4.2"}

            whole.apply(NAME, front.service_file(LONG, "promotion: {via: git}"))
            release = whole.start_release("1.4.3")
            aborted = Stages(whole, release)
            aborted.until_baking(25)
            whole.say(release, "abort")
            assert aborted.until_over() == "rolled_back"
            assert front.versions() == {"1.4.2"}
            assert [line.partition(" ")[2] for line in git.log()] == ["checkout: 1.4.2", "the beginning"]

            whole.apply(NAME, front.service_file(CANARY, "promotion: {via: git}"))
            back = Stages(whole, str(whole.say(good, "rollback")["release"]["id"]))
            assert back.until_over() == "promoted", back.now["text"]
            assert git.read(FILE) == VALUES, "the way back is a commit too"
            assert front.versions() == {"1.4.1"}
    finally:
        front.argo.stop()


@pytest.fixture
def in_git(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[InGit]:
    front = InGit(cluster, namespace, tmp_path)
    try:
        front.begin()
        yield front
    finally:
        front.follower.stop()


def test_routes_are_commits_that_somebody_else_applies(in_git: InGit, tmp_path: Path) -> None:
    """By an account that may only look. The time from an abort to its proof is printed: it is the follower's."""
    secret = accounts.token(in_git.cluster.api, in_git.namespace, "delivery")
    accounts.let_look(in_git.cluster.api, in_git.namespace, "delivery")
    plane, authority = in_git.cluster.control_plane, in_git.cluster.certificates.authority
    looking = accounts.write_kubeconfig(tmp_path / "read-only.yaml", plane.url, authority, secret)
    git = {"url": in_git.git.url, "folder": FOLDER}
    tables = {
        "mesh": {"git": git | {"directory": str(tmp_path / "mesh-git")}},
        "workloads": {"git": git | {"directory": str(tmp_path / "work-git")}},
    }
    versioned = 'mode: versioned, candidate: "checkout-{version}", '
    with running(in_git, tmp_path, tables, looking) as whole:
        whole.apply(NAME, in_git.service_file(CANARY, workload=versioned))
        in_git.deliver(NEW)
        follows(Stages(whole, whole.start_release("1.4.2")), "1.4.2")
        assert in_git.versions() == {"1.4.2"}
        commits = len(in_git.git.log())

        whole.apply(NAME, in_git.service_file(LONG, workload=versioned))
        in_git.deliver(VersionRef.of("1.4.3", "registry.example/checkout:1.4.3"))
        release = whole.start_release("1.4.3")
        aborted = Stages(whole, release)
        aborted.until_baking(25)
        said = time.monotonic()
        whole.say(release, "abort")
        aborted.until("nobody meets it", lambda: aborted.now["reverted_in"], 120)
        seen = time.monotonic() - said
        print(f"from the abort to 0 %: {aborted.now['reverted_in']} as the release says, {seen:.1f} s as a person sees")
        assert in_git.versions() == {"1.4.2"}
        assert aborted.until_over() == "rolled_back"
        assert len(in_git.git.log()) > commits


def test_a_syncer_that_keeps_setting_the_root_back_never_meets_the_release(
    whole: Whole, front: Front, load: Steady
) -> None:
    """The root is in git and edited there every second; the routes that releases edit are a delegate outside git."""
    route = Route(front)
    found = delegate.split(front.virtual_service(), front.place, NAME)
    assert found is not None
    root, ours = found
    front.create(ours)
    released = Route(front, ours["metadata"]["name"])

    def sync(number: int) -> None:
        """What git says, and nothing else; a new commit of its owners each time."""
        own = {"name": "foreign", "match": [{"uri": {"exact": "/foreign"}}], "directResponse": {"status": 418}}

        def set_back(live: Document) -> None:
            live["metadata"]["annotations"] = {}
            live["spec"] = root["spec"] | {"http": [own | {"timeout": f"{number}s"}, *root["spec"]["http"]]}

        route.edit(set_back)

    try:
        with every_second(sync) as syncs:
            front.until(lambda: syncs[0] >= 1)
            whole.apply(NAME, front.service_file(CANARY))
            release = whole.start_release("1.4.2")
            follows(Stages(whole, release), "1.4.2")
        assert syncs[0] >= 15
        assert not {"drift_corrected", "mesh_failing"} & set(types(whole, release))
        assert all(not stamps.services(one) for one in route.seen), "the root carries nothing of ours"
        assert route.read()["spec"]["http"][0]["timeout"] == f"{syncs[0]}s"
        rising(released.fences())
    finally:
        for one in (route, released):
            one.close()
    assert front.versions() == {"1.4.2"}
    nothing_lost(load.stop())
