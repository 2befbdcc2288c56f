"""Hooks as real Jobs: the API server stores them, the Job controller makes their pods, and these are real processes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.adapters.hooks import job
from delivery.adapters.hooks.jobs import JobHooks
from delivery.adapters.kube.client import Kube
from delivery.adapters.kube.objects import Document, path
from delivery.model.ids import SECOND, Micros
from delivery.model.place import Place
from delivery.ports.errors import Refused
from delivery.ports.hooks import HookCall
from delivery.testing.contracts.hooks import CALL, HooksContract, call, ended
from tests.cluster import errands
from tests.cluster.shop import SELECTED, Shop, service
from tests.cluster.testbed import accounts
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.fault_proxy import FaultProxy
from tests.cluster.testbed.faults import Answer
from tests.cluster.testbed.process import wait_until

SECONDS = 60
TEMPLATE = "checkout-migrate"


class World:
    def __init__(self, cluster: Cluster, namespace: str, folder: Path, through: tuple[FaultProxy, Path]) -> None:
        self.cluster, self.folder, (self._faults, kubeconfig) = cluster, folder, through
        self.params, self.unknown = {"template": TEMPLATE}, {"template": "checkout-gone"}
        self.place = Place(namespace, "checkout", "checkout")
        self.kube = Kube(str(cluster.kubeconfig))
        self._through = Kube(str(kubeconfig))
        self.hooks = JobHooks(self._through, [namespace], ["checkout-*"])
        self.other = JobHooks(self._through, [namespace], ["checkout-*"])
        self.keep(errands.cron_job(namespace, TEMPLATE, errands.waits(folder)))

    def keep(self, cron: Document) -> None:
        self.kube.create(cron)

    def made(self) -> int:
        return len([*self.folder.glob("*.made-*")])

    def told(self, key: str) -> str:
        (found,) = self.folder.glob(f"{key}.made-*")
        return found.read_text()

    def ends(self, key: str, ok: bool, text: str) -> None:
        errands.end(self.folder, key, ok, text)

    def out_of_reach(self, away: bool) -> None:
        if away:
            self._faults.script.add(Answer(503), "GET", "/jobs/")
        else:
            self._faults.script.clear()

    def until(self, condition: Callable[[], bool]) -> None:
        wait_until("what the test waits for", condition, SECONDS, self.cluster.check)

    def jobs(self) -> list[Document]:
        found: list[Document] = self.kube.get(path("batch/v1", "Job", self.place.namespace))["items"]
        return found

    def close(self) -> None:
        self.kube.close()
        self._through.close()


@pytest.fixture
def world(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[World]:
    with cluster.faults() as through:
        world = World(cluster, namespace, tmp_path, through)
        yield world
        world.close()


class TestHooks(HooksContract):
    pass


def test_the_job_is_the_templates_with_the_candidates_image_and_limits(world: World) -> None:
    world.hooks.run(call(world))
    (made,) = world.jobs()
    spec, container = made["spec"], made["spec"]["template"]["spec"]["containers"][0]
    assert made["metadata"]["name"] == job.name_of(call(world))
    assert made["metadata"]["annotations"]["progressive-delivery/hook"] == CALL.key
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (300, 0)
    assert spec["ttlSecondsAfterFinished"] == job.KEPT_SECONDS
    assert container["image"] == CALL.candidate.image
    assert {one["name"]: one["value"] for one in container["env"]}["DELIVERY_VERSION"] == "1.4.2"


def test_kubernetes_ends_what_takes_too_long(world: World) -> None:
    short = {"timeout": Micros(2 * SECOND)}
    world.hooks.run(call(world, **short))
    world.until(lambda: world.made() == 1)
    found = ended(world, world.other, **short)
    assert found.ok is False
    assert "active longer than specified deadline" in found.words


def test_one_of_another_attempt_is_not_taken_for_it(world: World) -> None:
    world.hooks.run(call(world))
    (made,) = world.jobs()
    where = path("batch/v1", "Job", world.place.namespace, made["metadata"]["name"])
    world.kube.patch(where, {"metadata": {"annotations": {"progressive-delivery/hook": "another"}}})
    with pytest.raises(Refused, match="was made for something else"):
        world.hooks.run(call(world))


@pytest.mark.parametrize(
    ("name", "changes", "labels", "why"),
    [
        ("checkout-busy", {"suspend": False}, {}, "is not suspended"),
        ("other-migrate", {}, {}, "none of those that the server's configuration lets hooks run"),
        ("checkout-served", {}, SELECTED, "Service checkout would send users to the Job's pods"),
    ],
)
def test_what_may_not_be_run_is_refused(
    world: World, name: str, changes: dict[str, bool], labels: dict[str, str], why: str
) -> None:
    world.kube.create(service(world.place.namespace))
    world.keep(errands.cron_job(world.place.namespace, name, ["true"], **changes, **labels))  # type: ignore[arg-type]
    with pytest.raises(Refused, match=why):
        world.hooks.run(call(world, params={"template": name}))
    assert world.jobs() == []


def test_nothing_is_made_in_a_namespace_that_has_not_opted_in(world: World) -> None:
    elsewhere = replace(world.place, namespace="kube-system")
    with pytest.raises(Refused, match="kube-system has not opted in"):
        world.hooks.run(call(world, place=elsewhere))
    nowhere: HookCall = call(world, place=None)
    with pytest.raises(Refused, match="does not say in which namespace"):
        world.hooks.run(nowhere)


def test_two_workers_at_once_make_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one makes it between our look and our write."""
    begin = JobHooks._begin

    def late(self: JobHooks, *about: Any) -> Any:
        monkeypatch.undo()
        world.other.run(call(world))
        return begin(self, *about)

    monkeypatch.setattr(JobHooks, "_begin", late)
    assert world.hooks.run(call(world)).ok is None
    assert len(world.jobs()) == 1


def test_the_published_rights_are_enough_and_no_more(world: World, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "hooks.md").read_text()
    role = yaml.safe_load(page.split("# rights of hooks", 1)[1].partition("\n")[2].partition("```")[0])
    namespace, api = world.place.namespace, world.cluster.api
    secret = accounts.token(api, namespace, "hooks")
    accounts.grant(api, namespace, "hooks", role["rules"])
    config = json.loads(world.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": secret}
    (tmp_path / "limited").write_text(json.dumps(config))
    limited = Kube(str(tmp_path / "limited"))
    hooks = JobHooks(limited, [namespace], ["checkout-*"])
    world.until(lambda: _may(hooks, world))
    world.ends(CALL.key, False, "no such table")
    assert "no such table" in ended(world, hooks).words
    with pytest.raises(Refused, match="forbidden"):
        limited.delete(path("batch/v1", "Job", namespace, job.name_of(call(world))))
    limited.close()


def _may(hooks: JobHooks, world: World) -> bool:
    """Rights count a moment after they were given."""
    try:
        return hooks.run(call(world)).ok is None
    except Refused:
        return False


def test_the_shop_of_the_tests_may_keep_one(cluster: Cluster, namespace: str) -> None:
    """A chart's own labels on a Deployment do not stand in the way of its CronJobs."""
    shop = Shop(cluster, namespace)
    shop.deploy()
    shop.create(errands.cron_job(namespace, TEMPLATE, ["true"], app="migrations"))
    hooks = JobHooks(shop.kube, [namespace], [TEMPLATE])
    made = replace(CALL, params={"template": TEMPLATE}, place=shop.place)
    shop.until(lambda: hooks.run(made).ok is True)
    shop.kube.close()
