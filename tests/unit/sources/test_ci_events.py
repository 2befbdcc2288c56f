"""GitHub, GitLab and CDEvents: who may say it, what it says, and that the same event is one whatever its envelope."""

import hashlib
import hmac
import json

import pytest

from delivery.model.ids import Micros
from delivery.model.notice import Happened
from delivery.sources import signing
from delivery.sources.cdevents import CDEvents, package
from delivery.sources.errors import Malformed, Stale, Unsigned
from delivery.sources.github import GitHub, demand
from delivery.sources.gitlab import GitLab
from delivery.sources.gitlab import demand as gitlab_secrets

NOW = Micros(1_795_514_531_000_000)  # 2026-11-24 10:02:11 UTC
SECRET, OLD = "a-secret-of-github", "an-older-secret-of-it"
TOKEN = "a-secret-token-of-gitlab"
KEY = "whsec_" + "c2VjcmV0LW9mLWNkZXZlbnRzLTEyMzQ1Njc4"
SHA = "4be1d0c9f2c4c5d1f0e8b7a6d5c4b3a291817161"
DIGEST = "sha256:" + "9f2c" * 16

RUN: dict = {
    "action": "completed",
    "workflow_run": {
        "name": "build",
        "head_branch": "main",
        "head_sha": SHA,
        "event": "push",
        "conclusion": "success",
        "run_number": 912,
        "html_url": "https://github.example/acme/checkout/actions/runs/912",
        "updated_at": "2026-11-24T10:02:00Z",
        "actor": {"login": "ci-bot"},
        "triggering_actor": {"login": "alice-acme"},
        "head_repository": {"full_name": "acme/checkout"},
    },
    "repository": {"full_name": "acme/checkout"},
    "sender": {"login": "github-actions[bot]"},
}
RELEASE = {
    "action": "published",
    "release": {
        "tag_name": "v1.4.2",
        "target_commitish": "main",
        "prerelease": False,
        "html_url": "https://github.example/acme/checkout/releases/v1.4.2",
        "published_at": "2026-11-24T10:01:00Z",
        "author": {"login": "alice-acme"},
    },
    "repository": {"full_name": "acme/checkout"},
    "sender": {"login": "alice-acme"},
}
DEPLOYMENT: dict = {
    "action": "created",
    "deployment": {
        "environment": "production",
        "ref": "main",
        "sha": SHA,
        "task": "deploy",
        "creator": {"login": "alice-acme"},
        "created_at": "2026-11-24T10:00:00Z",
    },
    "workflow_run": {"name": "deploy"},
    "repository": {"full_name": "acme/checkout"},
    "sender": {"login": "github-actions[bot]"},
}
PACKAGE: dict = {
    "action": "published",
    "registry_package": {
        "name": "Checkout",
        "namespace": "acme",
        "package_type": "CONTAINER",
        "updated_at": "2026-11-24T10:01:30Z",
        "package_version": {
            "version": DIGEST,
            "target_oid": SHA,
            "author": {"login": "alice-acme"},
            "container_metadata": {"tag": {"name": "1.4.2", "digest": DIGEST}},
        },
    },
    "repository": {"full_name": "acme/checkout"},
    "sender": {"login": "github-actions[bot]"},
}
PIPELINE: dict = {
    "object_kind": "pipeline",
    "object_attributes": {
        "iid": 31,
        "ref": "v1.4.2",
        "tag": True,
        "sha": SHA,
        "source": "push",
        "status": "success",
        "finished_at": "2026-11-24 10:01:11 UTC",
        "url": "https://gitlab.example/acme/checkout/-/pipelines/31",
    },
    "user": {"username": "alice-acme"},
    "project": {"path_with_namespace": "acme/checkout"},
}
DEPLOYED: dict = {
    "object_kind": "deployment",
    "status": "success",
    "status_changed_at": "2026-11-24 11:01:11 +0100",
    "environment": "staging",
    "ref": "main",
    "short_sha": "4be1d0c9",
    "commit_url": f"https://gitlab.example/acme/checkout/-/commit/{SHA}",
    "deployable_url": "https://gitlab.example/acme/checkout/-/jobs/77",
    "user": {"username": "alice-acme"},
    "project": {"path_with_namespace": "acme/checkout"},
}
PURL = f"pkg:oci/checkout@{DIGEST.replace(':', '%3A')}?repository_url=ghcr.example/acme/checkout&tag=1.4.2"
PUBLISHED = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/pipelines/checkout",
    "type": "dev.cdevents.artifact.published.0.2.0",
    "time": "2026-11-24T10:01:30Z",
    "data": {
        "context": {
            "version": "0.5.0",
            "id": "e-1",
            "source": "/pipelines/checkout",
            "timestamp": "2026-11-24T10:01:30Z",
        },
        "subject": {"id": PURL, "source": "/pipelines/checkout", "content": {"user": "alice"}},
    },
}
UPGRADED = {
    **PUBLISHED,
    "id": "e-2",
    "type": "dev.cdevents.service.upgraded.0.2.0",
    "data": {"subject": {"id": "checkout", "content": {"environment": {"id": "staging"}, "artifactId": PURL}}},
}

GITHUB, GITLAB, CDEVENTS = GitHub("github", [SECRET, OLD]), GitLab("gitlab", [TOKEN]), CDEvents("cd", [KEY])


def github(payload, secret=SECRET, **headers):
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return GITHUB.receive_each({"X-Hub-Signature-256": signature, **headers}, body, NOW)


def gitlab(payload, token=TOKEN):
    return GITLAB.receive_each({"X-Gitlab-Token": token}, json.dumps(payload).encode(), NOW)


def cdevent(payload):
    body = json.dumps(payload).encode()
    return CDEVENTS.receive_each(signing.sign(KEY, "msg-1", NOW // 1_000_000, body), body, NOW)


def facts(found):
    ((notice, _),) = found
    return notice.says.event, notice.says.facts


def test_a_workflow_run_says_what_triggers_need_and_who_pushed():
    ((notice, _),) = github(RUN)
    says = notice.says
    assert (says.event, says.actor) == ("workflow_run", "alice-acme")
    wanted = {"repository": "acme/checkout", "workflow": "build", "branch": "main", "conclusion": "success", "sha": SHA}
    assert wanted.items() <= says.facts.items()
    assert says.origin["run_url"].endswith("/runs/912")
    assert notice.time == NOW - 11_000_000


def test_a_release_has_its_tag_and_a_version_without_the_v():
    event, found = facts(github(RELEASE))
    assert (event, found["tag"], found["version"], found["prerelease"]) == ("release", "v1.4.2", "1.4.2", "false")


def test_a_deployment_is_told_from_the_run_that_made_it():
    event, found = facts(github(DEPLOYMENT))
    assert (event, found["environment"], found["sha"]) == ("deployment", "production", SHA)


def test_a_package_has_its_image_by_digest():
    event, found = facts(github(PACKAGE))
    assert (event, found["version"]) == ("registry_package", "1.4.2")
    assert found["image"] == f"ghcr.io/acme/checkout@{DIGEST}"


def test_other_events_of_github_start_nothing():
    assert github({"zen": "Keep it logically awesome.", "hook_id": 1}) == []


@pytest.mark.parametrize(
    "payload",
    [
        {**RUN, "action": "requested"},
        {**RUN, "workflow_run": {**RUN["workflow_run"], "conclusion": "failure"}},
        {**RELEASE, "action": "edited"},
        {**DEPLOYMENT, "action": "deleted"},
        {**DEPLOYMENT, "deployment_status": {"state": "failure"}},
    ],
)
def test_what_is_not_done_or_went_wrong_starts_nothing(payload):
    assert github(payload) == []


@pytest.mark.parametrize("head", [{"full_name": "stranger/checkout"}, None])
def test_what_ran_for_a_fork_starts_nothing_whatever_its_branch_is_called(head):
    run = {**RUN["workflow_run"], "event": "pull_request", "head_branch": "main", "head_repository": head}
    assert github({**RUN, "workflow_run": run}) == []
    attributes = {**PIPELINE["object_attributes"], "source": "merge_request_event", "ref": "main", "tag": False}
    ours = {"source_project_id": 1, "target_project_id": 1}
    mine = {**PIPELINE, "object_attributes": attributes, "merge_request": ours}
    assert facts(gitlab(mine))[1]["cause"] == "merge_request_event"
    assert gitlab({**mine, "merge_request": {**ours, "source_project_id": 2}}) == []


def test_a_pipeline_that_runs_or_failed_starts_nothing():
    for status in ("running", "failed"):
        assert gitlab({**PIPELINE, "object_attributes": {"status": status}}) == []
        assert gitlab({**DEPLOYED, "status": status}) == []


def test_github_is_believed_by_either_secret_and_by_nothing_else():
    assert github(RUN) == github(RUN, OLD)
    for wrong in ("another-secret-of-it", ""):
        with pytest.raises(Unsigned):
            github(RUN, wrong)
    with pytest.raises(Unsigned, match="set a secret"):
        GITHUB.receive_each({}, b"{}", NOW)
    with pytest.raises(ValueError, match="16 characters"):
        demand(["short"])


def test_headers_that_are_not_signed_change_nothing():
    first = github(RUN)
    assert github(RUN, **{"X-GitHub-Delivery": "other", "X-GitHub-Event": "release"}) == first
    altered = json.dumps({**RUN, "action": "requested"}).encode()
    signature = hmac.new(SECRET.encode(), json.dumps(RUN).encode(), hashlib.sha256).hexdigest()
    with pytest.raises(Unsigned):
        GITHUB.receive_each({"X-Hub-Signature-256": f"sha256={signature}"}, altered, NOW)


def test_a_pipeline_of_a_tag_says_the_tag():
    ((notice, _),) = gitlab(PIPELINE)
    found = notice.says.facts
    assert (notice.says.event, found["tag"], found["version"], found["status"]) == (
        "pipeline",
        "v1.4.2",
        "1.4.2",
        "success",
    )
    assert "branch" not in found
    assert notice.time == NOW - 60_000_000


def test_a_deployment_of_gitlab_with_its_zone():
    ((notice, _),) = gitlab(DEPLOYED)
    assert (notice.says.event, notice.says.facts["environment"]) == ("deployment", "staging")
    assert notice.time == NOW - 60_000_000


def test_gitlab_is_believed_by_its_token():
    with pytest.raises(Unsigned):
        gitlab(PIPELINE, "another-secret-token")
    with pytest.raises(Unsigned, match="set a secret token"):
        GITLAB.receive_each({}, b"{}", NOW)
    assert gitlab({"object_kind": "note"}) == []


def test_gitlab_is_believed_by_its_signature():
    """GitLab 19 signs as Standard Webhooks has it; the id is its Idempotency-Key, a UUID."""
    body, sender = json.dumps(PIPELINE).encode(), GitLab("gitlab", [KEY, TOKEN])
    signed = signing.sign(KEY, "6f1e9f6a-8a0e-4b57-9d0c-1f2d3c4b5a69", NOW // 1_000_000, body)
    assert sender.receive_each(signed, body, NOW) == gitlab(PIPELINE)
    assert sender.receive_each({"X-Gitlab-Token": TOKEN}, body, NOW) == gitlab(PIPELINE), "while one replaces the other"
    alone = GitLab("gitlab", [KEY])
    for headers, sent in (
        ({**signed, "X-Gitlab-Token": TOKEN}, body + b" "),
        ({**signed, "webhook-signature": "", "X-Gitlab-Token": TOKEN}, body),
        ({"X-Gitlab-Token": KEY}, body),
    ):
        with pytest.raises(Unsigned):
            sender.receive_each(headers, sent, NOW)
    with pytest.raises(Unsigned, match="webhook-id is missing"):
        alone.receive_each({"X-Gitlab-Token": TOKEN}, body, NOW)
    with pytest.raises(Stale):
        alone.receive_each(signed, body, Micros(NOW + signing.TOLERANCE + 1_000_000))
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        gitlab_secrets(["whsec_c2hvcnQ="])


def test_cdevents_say_the_artifact_or_the_service():
    event, found = facts(cdevent(PUBLISHED))
    assert (event, found["version"]) == ("artifact.published", "1.4.2")
    assert found["image"] == f"ghcr.example/acme/checkout@{DIGEST}"
    event, found = facts(cdevent(UPGRADED))
    assert (event, found["subject"], found["environment"], found["digest"]) == (
        "service.upgraded",
        "checkout",
        "staging",
        DIGEST,
    )


def test_cdevents_of_other_kinds_start_nothing_and_others_are_refused():
    assert cdevent({**PUBLISHED, "type": "dev.cdevents.pipelinerun.finished.0.2.0"}) == []
    with pytest.raises(Malformed, match="no CDEvent"):
        cdevent({**PUBLISHED, "type": "delivery.release.requested.v1"})
    with pytest.raises(Unsigned):
        CDEVENTS.receive_each({}, json.dumps(PUBLISHED).encode(), NOW)


@pytest.mark.parametrize("time", ["2026-11-24T10:02:11", "2026-11-24", "soon"])
def test_a_cdevent_whose_time_is_none_has_no_place_in_the_order(time):
    """CloudEvents wants a zone, not every sender writes one: the event counts all the same."""
    ((notice, _),) = cdevent({**PUBLISHED, "time": time})
    assert notice.time is None


@pytest.mark.parametrize("kind", [[], {}, None, 7])
def test_a_body_of_another_shape_starts_nothing(kind):
    assert gitlab({**PIPELINE, "object_kind": kind}) == []


@pytest.mark.parametrize(
    ("url", "version", "image"),
    [
        ("pkg:pypi/checkout@1.4.2", "1.4.2", None),
        (
            "pkg:oci/checkout@1.4.2?repository_url=ghcr.example/acme/checkout",
            "1.4.2",
            "ghcr.example/acme/checkout:1.4.2",
        ),
        (f"pkg:oci/checkout@{DIGEST}", None, None),
    ],
)
def test_package_urls(url, version, image):
    found = package(url)
    assert (found["package"], found["version"], found["image"]) == ("checkout", version, image)
    assert package("https://example.org") == {}


@pytest.mark.parametrize(
    ("receive", "payload"),
    [(github, RUN), (github, RELEASE), (gitlab, PIPELINE), (gitlab, DEPLOYED), (cdevent, PUBLISHED)],
)
def test_each_can_be_read_again_and_comes_as_one(receive, payload):
    ((notice, body),) = receive(payload)
    reread = {github: GITHUB.reread, gitlab: GITLAB.reread, cdevent: CDEVENTS.reread}[receive]
    assert reread(body) == notice
    assert receive(payload) == receive(payload)


@pytest.mark.parametrize(("receive", "payload"), [(github, RUN), (gitlab, PIPELINE), (cdevent, PUBLISHED)])
def test_an_event_of_the_future_is_refused(receive, payload):
    late = json.loads(json.dumps(payload).replace("2026-11-24", "2026-11-25"))
    with pytest.raises(Malformed, match="future"):
        receive(late)


@pytest.mark.parametrize(
    "payload",
    [
        {"action": "completed", "workflow_run": {"name": [], "conclusion": "success"}},
        {"action": "published", "release": {"tag_name": {}, "author": 7}},
    ],
)
def test_nobody_behind_it_is_a_mistake_that_is_named(payload):
    with pytest.raises(Malformed, match="who is behind it"):
        github(payload)


def from_github(payload: dict):
    """The notice in a signed request, or None."""
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    found = GitHub("github", [SECRET]).receive_each({"x-hub-signature-256": signature}, body, NOW)
    return found[0][0] if found else None


class TestAsTheyReallyCome:
    """Shapes that real payloads have and the documentation does not show."""

    def test_a_run_may_have_no_name_of_its_own(self) -> None:
        run = {**RUN, "workflow_run": {**RUN["workflow_run"], "name": None}, "workflow": {"name": "build"}}
        assert from_github(run).says.facts["workflow"] == "build"

    def test_a_person_comes_before_a_robot_whoever_is_named_first(self) -> None:
        deployed = {**DEPLOYMENT, "deployment": {**DEPLOYMENT["deployment"], "creator": {"login": "pages[bot]"}}}
        del deployed["workflow_run"]
        assert from_github({**deployed, "sender": {"login": "alice-acme"}}).says.actor == "alice-acme"
        assert from_github({**deployed, "sender": {"login": "github-actions[bot]"}}).says.actor == "pages[bot]"

    def test_an_image_is_where_it_is_pulled_from(self) -> None:
        package = PACKAGE["registry_package"]
        version = {**package["package_version"], "package_url": "ghcr.io/Acme/shop/checkout:1.4.2"}
        named = {**package, "namespace": "acme/shop", "package_version": version}
        assert (
            from_github({**PACKAGE, "registry_package": named}).says.facts["image"]
            == f"ghcr.io/acme/shop/checkout@{DIGEST}"
        )

    def test_a_package_whose_version_is_none_has_no_version(self) -> None:
        ((notice, _),) = github({**PACKAGE, "registry_package": {"name": "checkout", "package_version": "1.4.2"}})
        assert isinstance(notice.says, Happened)
        assert "version" not in notice.says.facts

    def test_a_manifest_without_a_tag_makes_no_version(self) -> None:
        package = PACKAGE["registry_package"]
        version = {**package["package_version"], "container_metadata": {"tag": {"name": "", "digest": DIGEST}}}
        facts = from_github({**PACKAGE, "registry_package": {**package, "package_version": version}}).says.facts
        assert "tag" not in facts
        assert facts["version"] == DIGEST

    def test_a_deployment_of_ours_starts_nothing(self) -> None:
        ours = {**DEPLOYMENT["deployment"], "payload": {"progressive_delivery": "rel_01JD"}}
        deployed = {name: value for name, value in DEPLOYMENT.items() if name != "workflow_run"}
        assert from_github({**deployed, "deployment": ours}) is None
        assert from_github({**deployed, "deployment": {**ours, "payload": "{}"}}) is not None

    def test_gitlabs_deployments_have_the_whole_commit_in_its_address_alone(self) -> None:
        body = json.dumps(DEPLOYED).encode()
        ((notice, _),) = GitLab("gitlab", [TOKEN]).receive_each({"x-gitlab-token": TOKEN}, body, NOW)
        assert isinstance(notice.says, Happened)
        assert notice.says.facts["sha"] == notice.says.facts["commit"] == SHA
