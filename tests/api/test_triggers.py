"""Events of CI: triggers of service files say which release they mean; what none of them means is answered."""

import hashlib
import hmac
import json

from delivery.ports.rows import Delivery, InboxState, Unit
from tests.api.world import GITHUB, NOW, SERVICE, bearer
from tests.unit.sources.test_ci_events import RUN, SHA

TRIGGER = {
    "source": "github",
    "event": "workflow_run",
    "where": {"repository": "acme/checkout", "branch": "main", "conclusion": "success"},
    "version": "{sha:7}",
    "image": "ghcr.io/acme/checkout:{sha}",
}


def apply(http, **changes):
    body = {**SERVICE, "triggers": [TRIGGER], **changes}
    path = f"/v1/services/{body['service']}"
    assert http.put(path, json=body, headers=bearer("olga")).status_code in (200, 201)


def run(**changes):
    changed = json.loads(json.dumps(RUN))
    changed["workflow_run"] |= changes
    return changed


def send(http, payload):
    body = json.dumps(payload).encode()
    signature = hmac.new(GITHUB.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
    return http.post("/v1/webhooks/github", content=body, headers=headers)


def test_a_build_that_a_service_waits_for_is_a_release_of_it(http):
    apply(http)
    answer = send(http, RUN)
    assert (answer.status_code, answer.json()["outcome"]) == (202, "release")
    release = http.get(f"/v1/releases/{answer.json()['release']['id']}", headers=bearer("vera")).json()
    assert (release["to"]["version"], release["actor"]) == (SHA[:7], "alice-acme")
    assert release["links"]["run"].endswith("/runs/912")
    assert send(http, RUN).json() == answer.json(), "the same event again: the same answer"


def test_who_pushed_is_who_they_are_here_so_that_nobody_approves_their_own(http):
    apply(http)
    answer = send(http, run(triggering_actor={"login": "Adam-Acme"})).json()
    release = http.get(f"/v1/releases/{answer['release']['id']}", headers=bearer("vera")).json()
    assert release["actor"] == "adam"


def test_several_services_may_wait_for_one_build(http):
    apply(http)
    apply(http, service="checkout-worker", cluster=["local", "other"])
    answer = send(http, RUN).json()
    assert answer["outcome"] == "release"
    assert len(answer["releases"]) == 3
    assert send(http, RUN).json() == answer


def test_a_replay_of_what_one_target_missed_is_for_that_target_alone(http, world):
    """The others had it, and may have gone back since."""
    apply(http, cluster=["local", "other"])
    row = Delivery("github", "a run#checkout@other", "d", NOW, json.dumps(RUN).encode(), InboxState.DEAD, error="x")
    world.ledger.commit([Unit(inbox=(row,))])
    named = {"deliveries": [{"source": row.source, "key": row.key}]}
    (done,) = http.post("/v1/inbox/replay", json=named, headers=bearer("olga")).json()["replayed"]
    assert done["outcome"] == "release"
    listed = http.get("/v1/releases", headers=bearer("vera")).json()["releases"]
    assert [(one["cluster"], one["actor"]) for one in listed] == [("other", "alice-acme")]


def test_what_nobody_waits_for_is_a_no_op_with_its_reason(http):
    apply(http)
    for other in (run(conclusion="failure"), {"zen": "x", "hook_id": 1}):
        answer = send(http, other)
        assert (answer.status_code, answer.json()["outcome"]) == (202, "no_op")
    text = send(http, run(head_branch="topic")).json()["text"]
    assert text == "no service has a trigger for this workflow_run"


def test_a_trigger_that_makes_no_version_says_so(http):
    apply(http, triggers=[{**TRIGGER, "version": "{tag}"}])
    answer = send(http, RUN).json()
    assert (answer["outcome"], answer["reason"]) == ("no_op", "fact_missing")
    assert "'tag'" in answer["text"]
    apply(http, triggers=[{**TRIGGER, "version": "{run_url}"}])
    assert send(http, RUN).json()["reason"] == "no_version"


def test_a_service_whose_trigger_is_wrong_keeps_no_other_from_its_release(http):
    apply(http, service="a-broken-one", triggers=[{**TRIGGER, "version": "{tag}"}])
    apply(http, service="another", triggers=[{**TRIGGER, "cluster": "other"}])
    apply(http)
    first = send(http, RUN).json()
    assert (first["outcome"], len(first["releases"])) == ("release", 1)
    assert send(http, RUN).json() == first


def test_what_github_did_not_sign_is_refused(http):
    apply(http)
    assert http.post("/v1/webhooks/github", content=json.dumps(RUN).encode()).status_code == 401
