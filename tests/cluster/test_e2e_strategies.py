"""Each strategy on the testbed, whole: requests counted at the pods by stage, none lost or failed by any switch."""

import http.client
from pathlib import Path

import pytest

from delivery.sandbox.ports import HOST
from tests.cluster import wire
from tests.cluster.conftest import RATE
from tests.cluster.front import Front
from tests.cluster.steady import Stages, Steady, nothing_lost
from tests.cluster.testbed.cluster import Cluster
from tests.cluster.testbed.process import wait_until
from tests.cluster.whole import Whole

pytestmark = pytest.mark.timeout(600)

CANARY = "[canary: {steps: [20%, 50%], bake: 8s, min_requests: 50}]"
LONG = "[canary: {steps: [25%, 50%], bake: 5m, min_requests: 50}]"


def answered_by(cluster: Cluster, front: Front, **headers: str) -> str | None:
    """The version that answers one user who sends these headers."""
    connection = http.client.HTTPConnection(HOST, cluster.gateway.port, timeout=wire.SECONDS)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", "/", headers={"host": front.host, **sent})
        return connection.getresponse().headers["x-version"]
    finally:
        connection.close()


def test_a_canary_of_ten_thousand_requests(whole: Whole, front: Front, load: Steady) -> None:
    rejected = whole.cluster.gateway.rejected()  # of all tests before
    whole.apply("checkout", front.service_file(CANARY))
    stages = Stages(whole, whole.start_release("1.4.2"))
    assert stages.until_over() == "promoted"
    load.wait(10_000)
    nothing_lost(load.stop())
    assert [stage.desired for stage in stages.found.values()][:2] == [20, 50]
    for stage in stages.found.values():
        stage.follows("1.4.2")
    assert front.versions() == {"1.4.2"}
    assert whole.cluster.gateway.rejected() == rejected


def test_blue_green_shows_the_candidate_to_the_preview_alone_and_then_to_everybody(
    whole: Whole, front: Front, load: Steady
) -> None:
    whole.apply("checkout", front.service_file("[blue_green: {bake: 6s, approval: {count: 1}}]"))
    release = whole.start_release("1.4.2")
    stages = Stages(whole, release)
    stages.until("it waits for approval", lambda: "approve" in stages.now["actions"], 90)
    assert answered_by(whole.cluster, front, x_delivery_preview="candidate") == "1.4.2"
    assert front.versions() == {"1.4.1"}
    whole.say(release, "approve")
    assert stages.until_over() == "promoted"
    nothing_lost(load.stop())
    full = next(stage for stage in stages.found.values() if stage.desired == 100)
    full.follows("1.4.2")
    assert front.versions() == {"1.4.2"}


def test_an_ab_test_gives_the_candidate_exactly_those_who_meet_the_rule(
    whole: Whole, front: Front, tmp_path: Path
) -> None:
    rule = '[ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], bake: 8s, min_requests: 50, then: promote}]'
    whole.apply("checkout", front.service_file(rule))
    load = Steady(whole.cluster, tmp_path, front.host, RATE, headers=["x-beta:true:30"])
    try:
        stages = Stages(whole, whole.start_release("1.4.2"))
        stages.until("the rule is there", lambda: stages.found, 90)
        assert answered_by(whole.cluster, front, x_beta="true") == "1.4.2"
        assert answered_by(whole.cluster, front, x_beta="no") == "1.4.1"
        assert stages.until_over() == "promoted"
    finally:
        counts = load.stop()
    nothing_lost(counts)
    counted = next(iter(stages.found.values())).requests
    # The users come in turn: a share of them is a share of the requests, but for those under way at either end.
    assert abs(counted["1.4.2"] - 0.3 * counted.total()) <= 35, counted
    assert front.versions() == {"1.4.2"}


def test_a_dark_launch_copies_requests_and_shows_nobody_the_answers(whole: Whole, front: Front, load: Steady) -> None:
    dark = "[dark_launch: {mirror: 50%, bake: 8s, min_requests: 50, then: withdraw}]"
    whole.apply("checkout", front.service_file(dark))
    stages = Stages(whole, whole.start_release("1.4.2"))
    assert stages.until_over() == "withdrawn", stages.now["text"]
    counts = load.stop()
    nothing_lost(counts)
    assert set(counts["versions"]) == {"1.4.1"}
    counted = next(iter(stages.found.values())).requests
    users, copies = counted["1.4.1"], counted["1.4.2"]
    spread = (users * 0.25) ** 0.5
    assert abs(copies - users / 2) <= 5 * spread, counted


def test_a_chain_goes_from_copies_to_a_canary_with_cookies(whole: Whole, front: Front, load: Steady) -> None:
    chain = (
        "[dark_launch: {mirror: 20%, bake: 4s, min_requests: 20}, "
        "canary: {steps: [30%], bake: 6s, min_requests: 50, sticky: {cookie: rel}}]"
    )
    whole.apply("checkout", front.service_file(chain))
    stages = Stages(whole, whole.start_release("1.4.2"))
    assert stages.until_over() == "promoted", stages.now["text"]
    nothing_lost(load.stop())
    assert [stage.desired for stage in stages.found.values()][:2] == [0, 30]
    assert front.versions() == {"1.4.2"}


def test_an_abort_takes_every_user_back(whole: Whole, front: Front, load: Steady) -> None:
    whole.apply("checkout", front.service_file(LONG))
    release = whole.start_release("1.4.2")
    stages = Stages(whole, release)
    stages.until_baking(25)
    assert whole.say(release, "abort")["effect"] == "reverting"
    assert stages.until_over() == "rolled_back"
    counted = wire.served(whole.cluster, whole.namespace)["1.4.1"]
    assert front.versions() == {"1.4.1"}
    load.wait(load.counts()["answered"] + 2 * RATE + RATE // 2)  # what it counts may be half a second old
    assert wire.served(whole.cluster, whole.namespace)["1.4.1"] - counted >= 2 * RATE - 20
    nothing_lost(load.stop())


def test_a_newer_version_takes_the_place_of_one_that_runs(whole: Whole, front: Front, load: Steady) -> None:
    whole.apply("checkout", front.service_file(LONG, "on_new_version: supersede"))
    first = Stages(whole, whole.start_release("1.4.2"))
    first.until_baking(25)
    second = Stages(whole, whole.start_release("1.4.3"))
    assert first.until_over() == "superseded", first.now["text"]
    second.until_baking(25)
    second.look()
    assert front.versions() <= {"1.4.1", "1.4.3"}
    whole.say(str(second.now["id"]), "abort")
    assert second.until_over() == "rolled_back"
    assert front.versions() == {"1.4.1"}
    nothing_lost(load.stop())


def test_a_bad_version_goes_back_by_itself_and_a_finished_release_by_a_word(
    cluster: Cluster, namespace: str, whole: Whole, tmp_path: Path
) -> None:
    front = Front(cluster, namespace)
    front.open(faults="1.4.3:fail-every=4")
    load = Steady(cluster, tmp_path, front.host, RATE)
    try:
        quick = "[canary: {steps: [30%], bake: 6s, min_requests: 50}]"
        whole.apply("checkout", front.service_file(quick))
        good = whole.start_release("1.4.2")
        assert Stages(whole, good).until_over() == "promoted"
        bad = Stages(whole, whole.start_release("1.4.3"))
        assert bad.until_over() == "rolled_back"
        assert bad.now["cause"]["type"] == "gate_failed", bad.now["cause"]
        assert front.versions() == {"1.4.2"}
        answer = whole.say(good, "rollback")
        back = Stages(whole, str(answer["release"]["id"]))
        assert back.until_over() == "promoted", back.now["text"]
        wait_until("everybody is back", lambda: front.versions() == {"1.4.1"}, 30)
    finally:
        counts = load.stop()
    nothing_lost(counts)
    errors = {version: seen["errors"] for version, seen in counts["versions"].items()}
    assert errors["1.4.3"] > 0
    assert errors["1.4.1"] == errors["1.4.2"] == 0
