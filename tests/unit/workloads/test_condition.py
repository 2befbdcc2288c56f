"""What a Deployment and its pods say, in words that a person can act on."""

import pytest

from delivery.adapters.workloads.kubernetes import condition, state
from delivery.model.version import Endpoint
from tests.unit.workloads.charts import deployment, pod

HERE = Endpoint("checkout.shop.svc.cluster.local", 80)


def status(replicas=4, updated=4, available=4, observed=3, *conditions):
    return {
        "observedGeneration": observed,
        "replicas": replicas,
        "updatedReplicas": updated,
        "availableReplicas": available,
        "conditions": list(conditions),
    }


def rolled(*counts, surge=None, **spec):
    strategy = {"rollingUpdate": {"maxUnavailable": surge}} if surge is not None else {}
    return deployment(status=status(*counts), strategy=strategy, **spec)


def test_nothing_is_waited_for_in_silence_where_it_is_scaled_to_nothing():
    nothing = rolled(0, 0, 0, replicas=0)
    for found in (condition.missing(nothing), condition.unavailable(nothing, 0)):
        assert found == "0 of 1 pods of Deployment shop/checkout are available: it is scaled to 0"


@pytest.mark.parametrize(
    ("counts", "missing"),
    [
        ((), ""),
        ((4, 4, 4, 2), "has not seen the last change"),
        ((4, 2, 4), "2 of 4 pods of Deployment shop/checkout are of the new kind"),
        ((5, 4, 4), "1 old pods of Deployment shop/checkout are still there"),
        ((4, 4, 3), "3 of 4 pods of Deployment shop/checkout are available"),
    ],
)
def test_it_has_rolled_out_when_every_pod_is_new_and_available(counts, missing):
    found = condition.missing(rolled(*counts, surge="25%"))
    assert missing in found
    assert bool(found) == bool(missing)


@pytest.mark.parametrize(
    ("wanted", "surge", "enough"),
    [(4, "25%", 3), (3, "25%", 3), (1, "25%", 1), (10, 2, 8), (2, "100%", 1), (1, 1, 1), (4, 0, 4)],
)
def test_it_carries_its_share_with_what_it_calls_enough_itself(wanted, surge, enough):
    made = rolled(wanted, wanted, enough, surge=surge, replicas=wanted)
    assert condition.enough(made, wanted) == enough
    assert condition.unavailable(made, wanted) == ""
    if enough > 1:
        fewer = rolled(wanted, wanted, enough - 1, surge=surge, replicas=wanted)
        assert f"{enough - 1} of {wanted} pods" in condition.unavailable(fewer, wanted)


def test_more_pods_than_its_share_needs_do_no_harm():
    assert condition.unavailable(rolled(6, 6, 2, replicas=6), 2) == ""
    assert condition.unavailable(rolled(2, 2, 2, replicas=6), 2) == "", "the others are still being made"
    assert condition.unavailable(rolled(5, 1, 4, 2, replicas=4), 4) == "", "they are restarted one by one"


def test_a_deployment_that_nobody_has_seen_yet_carries_nothing():
    assert condition.unavailable(deployment(status={}), 1)
    assert condition.unfinished(deployment(status={}))


WAITING = {"waiting": {"reason": "ContainerCreating"}}
PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}
LOOP = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
SAID = {"terminated": {"exitCode": 1, "reason": "Error", "message": "starting\nno such database\n"}}


@pytest.mark.parametrize(
    ("made", "text", "hopeless"),
    [
        (pod(state=WAITING), "pod checkout-x, container checkout: ContainerCreating", False),
        (
            pod(state=PULL, image="checkout:2"),
            "pod checkout-x, container checkout: ImagePullBackOff of checkout:2: manifest unknown",
            True,
        ),
        (
            pod(state=LOOP, lastState=SAID, restartCount=3),
            "pod checkout-x, container checkout: it crashed 3 times, exit code 1: no such database",
            True,
        ),
        (
            pod(state=LOOP, lastState=KILLED, restartCount=2),
            "pod checkout-x, container checkout: it crashed 2 times, exit code 137 (OOMKilled)",
            False,
        ),
        (
            pod(state={"running": {}}, lastState=KILLED, restartCount=7),
            "pod checkout-x, container checkout: it crashed 7 times, exit code 137 (OOMKilled)",
            True,
        ),
        (
            pod(state={"running": {}}),
            "pod checkout-x, container checkout: it runs, and its readiness probe fails",
            False,
        ),
        (pod(state=SAID), "pod checkout-x, container checkout: exit code 1: no such database", False),
        (pod(scheduled=False), "pod checkout-x has no node: 0/3 nodes are available: too little memory", False),
        (pod(phase="Pending"), "pod checkout-x is Pending", False),
    ],
)
def test_why_a_pod_is_not_ready(made, text, hopeless):
    (found,) = condition.troubles([made])
    assert (found.text, found.hopeless) == (text, hopeless)


def test_a_start_that_never_ends_is_told_before_the_container_that_waits_for_it():
    made = pod(state={"waiting": {"reason": "PodInitializing"}})
    done = {"name": "first", "ready": True, "state": {"terminated": {"exitCode": 0}}}
    failed = {"name": "migrate", "ready": False, "restartCount": 3, "state": LOOP, "lastState": SAID}
    made["status"]["initContainerStatuses"] = [done, failed]
    (found,) = condition.troubles([made])
    assert "container migrate: it crashed 3 times" in found.text


def test_pods_that_are_ready_or_going_have_no_trouble_and_the_hopeless_come_first():
    many = [pod("a", ready=True), pod("b", going=True, state=PULL), pod("c", state=WAITING), pod("d", state=PULL)]
    assert [trouble.pod for trouble in condition.troubles(many)] == ["d", "c"]


def test_only_pods_of_the_newest_template_count():
    made = deployment(annotations={"deployment.kubernetes.io/revision": "2"})

    def replica_set(template_hash, revision, owner="d-1"):
        return {
            "metadata": {
                "labels": {"pod-template-hash": template_hash},
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"uid": owner}],
            }
        }

    pods = [pod(one, labels={"pod-template-hash": one}) for one in ("old", "new", "stranger")]
    sets = [replica_set("old", "1"), replica_set("new", "2"), replica_set("stranger", "2", "d-2")]
    assert condition.of_template(pods, sets, made) == [pods[1]]


class Reader:
    """Pods, and the last line of each log."""

    def __init__(self, *pods, said=""):
        self.pods, self.said, self.asked = pods, said, []

    def newest_pods(self, deployment):
        return list(self.pods)

    def last_line(self, pod, container):
        self.asked.append((pod, container))
        return self.said


QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: few"}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


def running(reader, *conditions, **spec):
    made = deployment(status=status(4, 4, 0, 3, *conditions), **spec)
    return state.running(reader, made, HERE, "Deployment shop/checkout", "something is missing")


def test_a_crash_loop_without_last_words_is_told_with_its_log():
    reader = Reader(pod(state=LOOP, lastState=KILLED, restartCount=3), said="out of heap")
    assert (running(reader).failing or "").endswith("exit code 137 (OOMKilled): out of heap")
    assert reader.asked == [("checkout-x", "checkout")]


def test_a_log_is_only_read_where_it_may_say_more():
    silent = pod(state=LOOP, lastState=KILLED, restartCount=1)
    for made in (pod(state=PULL), pod(state=LOOP, lastState=SAID, restartCount=3), pod(state=WAITING), silent):
        reader = Reader(made, said="nothing")
        assert "nothing" not in (running(reader).failing or running(reader).looked_for)
        assert reader.asked == []


@pytest.mark.parametrize("told", [QUOTA, LATE])
def test_what_the_deployment_says_gives_it_up_where_no_pod_serves(told):
    text = told.get("message", "made no progress for 600 s")
    assert text in (running(Reader(), told).failing or "")
    holding = running(Reader(pod(ready=True)), told)
    assert (holding.ready, holding.failing) == (False, None)
    assert text in holding.looked_for


def test_one_bad_pod_among_good_ones_gives_nothing_up():
    found = running(Reader(pod("a", ready=True), pod("b", state=PULL)))
    assert found.failing is None
    assert "ImagePullBackOff" in found.looked_for


def test_a_pause_is_told_with_the_command_that_ends_it():
    found = running(Reader(pod(ready=True)), paused=True)
    assert found.failing == ("Deployment shop/checkout is paused: kubectl -n shop rollout resume deployment/checkout")
