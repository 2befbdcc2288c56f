"""A migration and a smoke test as Jobs, in whole releases on the testbed: the smoke test meets the candidate alone."""

from pathlib import Path

import pytest

from delivery.adapters.kube.objects import path
from tests.cluster import errands
from tests.cluster.front import Front
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.test_e2e_strategies import answered_by
from tests.cluster.whole import Json, Whole

pytestmark = pytest.mark.timeout(600)

STRATEGY = "[blue_green: {smoke: {hook: smoke}, bake: 6s, min_requests: 50}]"
HOOKS = """\
hooks:
  migrate: {job: checkout-migrate, before: start, timeout: 3m}
  smoke: {job: checkout-smoke, timeout: 3m}
"""


def begun(whole: Whole, folder: Path, key: str) -> None:
    """Returns when the Job's process runs."""
    whole.until(f"{key} runs", lambda: [*folder.glob(f"{key}.made-*")], 120)


def hooks(whole: Whole, release: str) -> dict[str, Json]:
    return {one["hook"]: one for one in whole.get(f"/v1/releases/{release}")["hooks"]}


def deployments(front: Front) -> list[str]:
    found = front.kube.get(path("apps/v1", "Deployment", front.namespace))["items"]
    return [one["metadata"]["name"] for one in found]


def test_jobs_before_the_start_and_before_the_switch(whole: Whole, front: Front, load: Steady, tmp_path: Path) -> None:
    for name in ("checkout-migrate", "checkout-smoke"):
        front.create(errands.cron_job(front.namespace, name, errands.waits(tmp_path)))
    whole.apply("checkout", front.service_file(STRATEGY, HOOKS))
    release = whole.start_release("1.4.2")
    migrate, smoke = f"{release}-migrate-start-1", f"{release}-smoke-during1-1"
    begun(whole, tmp_path, migrate)
    assert deployments(front) == ["checkout"], "nothing of the candidate is there yet"
    errands.end(tmp_path, migrate, True, "4 migrations")
    begun(whole, tmp_path, smoke)
    assert answered_by(whole.cluster, front, x_delivery_preview="candidate") == "1.4.2"
    assert front.versions() == {"1.4.1"}
    errands.end(tmp_path, smoke, True, "12 checks")
    assert Stages(whole, release).until_over() == "promoted"
    assert {name: one["state"] for name, one in hooks(whole, release).items()} == {
        "migrate": "passed",
        "smoke": "passed",
    }
    _fails(whole, front, tmp_path)
    nothing_lost(load.stop())


def _fails(whole: Whole, front: Front, folder: Path) -> None:
    """The next version's smoke test says no: nobody but that has met it."""
    release = whole.start_release("1.4.3")
    migrate, smoke = f"{release}-migrate-start-1", f"{release}-smoke-during1-1"
    begun(whole, folder, migrate)
    errands.end(folder, migrate, True, "nothing to do")
    begun(whole, folder, smoke)
    errands.end(folder, smoke, False, "3 of 12 checks failed")
    assert Stages(whole, release).until_over() == "rolled_back"
    assert front.versions() == {"1.4.2"}
    now = whole.get(f"/v1/releases/{release}")
    assert now["cause"]["type"] == "hook_failed"
    assert "smoke: 3 of 12 checks failed" in now["cause"]["text"]
