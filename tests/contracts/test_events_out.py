"""CDEvents and GitHub deployments as they leave, on a real socket. The rules are those of their specifications."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from delivery.adapters.events.cdevents import CDEvents, events, package
from delivery.adapters.events.github import GitHub
from delivery.adapters.events.github_app import AppToken
from delivery.adapters.events.webhook import Webhook
from delivery.model.event import Cause, CauseKind, Phase
from delivery.model.ids import MINUTE, SECOND, Micros, ReleaseId
from delivery.model.outward import Topic
from delivery.model.release import Release
from delivery.model.version import VersionRef
from delivery.ports.errors import Refused, Unavailable
from delivery.ports.subscriber import Fact
from delivery.registry import SUBSCRIBERS
from delivery.sources import cdevents
from tests.api.world import SECRET
from tests.receiver import Came, Receiver, Reply, receiver
from tests.unit.wording.builders import NOW, release

BASE = "https://delivery.example.org"
SHA = "4be1d0c" + "0" * 33
AT = Micros(NOW + 9 * MINUTE)
IMAGE = "ghcr.io/acme/checkout@sha256:" + "9f" * 32


class Place:
    def __init__(self) -> None:
        self.known: str | None = None

    def note(self, at: str) -> None:
        self.known = at


def fact(topic: Topic, of: Release | None = None, **changes: Any) -> Fact:
    shown = replace(of or release(), origin={"commit": SHA}, **changes)
    kind = topic.value.partition(".")[2]
    return Fact(f"{shown.id}-7-{kind}", topic, AT, shown, "checkout", "prod-eu", ("team-payments",), "what happened")


BACK = fact(Topic.ROLLED_BACK, phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.ABORTED))
DONE = fact(Topic.PROMOTED, phase=Phase.PROMOTED, cause=Cause(CauseKind.COMPLETED))


class TestCDEvents:
    @pytest.mark.parametrize("topic", list(Topic))
    def test_every_fact_is_a_structured_cloudevent_that_says_the_same_in_both_places(self, topic: Topic) -> None:
        made = list(events(fact(topic), BASE))
        assert made
        assert len({one["id"] for one in made}) == len(made)
        for one in made:
            context = one["data"]["context"]
            assert (one["id"], one["type"], one["source"], one["time"]) == tuple(
                context[name] for name in ("id", "type", "source", "timestamp")
            )
            assert re.fullmatch(r"dev\.cdevents(x)?\.[a-zA-Z-]+\.[a-z]+\.\d\.\d\.\d", one["type"])
            assert set(one["data"]) == {"context", "subject", "customData", "customDataContentType"}

    @pytest.mark.parametrize(
        ("told", "types", "outcome"),
        [
            (fact(Topic.STARTED), ["pipelinerun.started"], None),
            (DONE, ["service.upgraded", "pipelinerun.finished"], "success"),
            (BACK, ["service.rolledback", "pipelinerun.finished"], "failure"),
            (fact(Topic.ENDED, phase=Phase.SUPERSEDED), ["pipelinerun.finished"], "cancel"),
            (fact(Topic.ENDED, phase=Phase.FAILED_TO_START), ["pipelinerun.finished"], "error"),
        ],
    )
    def test_a_release_is_a_pipeline_run_and_its_service_changes(self, told, types, outcome) -> None:
        made = list(events(told, BASE))
        assert [one["type"].removeprefix("dev.cdevents.").rpartition(".0.2.0")[0] for one in made] == types
        assert made[-1]["data"]["subject"]["content"].get("outcome") == outcome

    def test_a_first_version_is_deployed_and_a_rollback_of_a_finished_release_is_one(self) -> None:
        first = replace(DONE.release, bound=replace(DONE.release.bound, stable=None))  # type: ignore[type-var]
        assert next(events(replace(DONE, release=first), BASE))["type"] == "dev.cdevents.service.deployed.0.2.0"
        back = replace(DONE.release, rolls_back=ReleaseId("rel_0"))
        assert next(events(replace(DONE, release=back), BASE))["type"] == "dev.cdevents.service.rolledback.0.2.0"

    def test_after_a_rollback_the_artifact_is_the_one_that_everybody_has(self) -> None:
        stable = BACK.release.bound.stable  # type: ignore[union-attr]
        (of_service, _) = events(BACK, BASE)
        assert of_service["data"]["subject"]["content"]["artifactId"] == package("checkout", stable)  # type: ignore[arg-type]

    def test_package_urls_read_back_as_our_own_source_reads_them(self) -> None:
        made = package("checkout", VersionRef.of("1.4.2", IMAGE))
        assert cdevents.package(made) == {
            "package": "checkout",
            "type": "oci",
            "tag": "1.4.2",
            "digest": "sha256:" + "9f" * 32,
            "image": IMAGE,
            "version": "1.4.2",
        }
        assert package("checkout", VersionRef.of("1.4.2")) == "pkg:generic/checkout@1.4.2"
        assert package("checkout", VersionRef.of("1", "host:5000/a/b:1@sha256:" + "9" * 64)).endswith(
            "repository_url=host%3A5000%2Fa%2Fb&tag=1"
        )

    def test_both_events_of_an_end_come_and_again_after_a_failure(self) -> None:
        with receiver() as there:
            adapter = CDEvents(BASE, there.url, [SECRET])
            there.replies += [Reply(), Reply(500)]
            with pytest.raises(Unavailable):
                adapter.tell(DONE, Place())
            adapter.tell(DONE, Place())
            ids = [one.json["id"] for one in there.came]
            assert ids == [f"{DONE.id}-service", DONE.id] * 2
            assert all(one.headers["content-type"] == "application/cloudevents+json" for one in there.came)
            assert all(one.headers["webhook-id"] == one.json["id"] for one in there.came)


class Repository(Receiver):
    """GitHub's deployments of one repository, as its REST API documents them."""

    def __init__(self) -> None:
        super().__init__()
        self.deployments: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []

    def answer(self, came: Came) -> Reply:
        reply = super().answer(came)
        if reply.status != 204:
            return reply
        path, query = urlsplit(came.path).path, parse_qs(urlsplit(came.path).query)
        if came.headers.get("authorization") != "Bearer ghs_token":
            return Reply(401)
        if came.method == "GET" and path == "/repos/acme/checkout/deployments":
            wanted = {name: query[name][0] for name in ("sha", "environment")}
            found = [one for one in self.deployments if (one["sha"], one["environment"]) == tuple(wanted.values())]
            return _said(200, found)
        if path == "/repos/acme/checkout/deployments":
            made = came.json
            self.deployments.append({"id": len(self.deployments) + 1, "sha": made["ref"], **made})
            return _said(201, self.deployments[-1])
        if re.fullmatch(r"/repos/acme/checkout/deployments/\d+/statuses", path):
            self.statuses.append(came.json | {"of": int(path.split("/")[5])})
            return _said(201, {"id": len(self.statuses)})
        return Reply(404)


def _said(status: int, document: object) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(document).encode())


class TestGitHub:
    @pytest.fixture
    def there(self) -> Iterator[Repository]:
        repository = Repository()
        with receiver(repository):
            yield repository

    @pytest.fixture
    def github(self, there: Repository) -> GitHub:
        return GitHub(BASE, lambda: "ghs_token", "acme/{service}", api=there.url.removesuffix("/hook"))

    def test_one_deployment_a_commit_and_cluster_whose_status_follows(self, there: Repository, github: GitHub) -> None:
        place = Place()
        for told in (fact(Topic.STARTED), fact(Topic.STAGE_REACHED), fact(Topic.NEEDS_PERSON), DONE):
            github.tell(told, place)
        (made,) = there.deployments
        assert (made["ref"], made["environment"], made["auto_merge"], made["required_contexts"]) == (
            SHA, "prod-eu", False, [],
        )  # fmt: skip
        assert [one["state"] for one in there.statuses] == ["in_progress"] * 3 + ["success"]
        assert {one["log_url"] for one in there.statuses} == {f"{BASE}/releases/{DONE.release.id}"}
        assert all(len(one["description"]) <= 140 for one in there.statuses)

    def test_the_one_that_ci_made_is_found(self, there: Repository, github: GitHub) -> None:
        there.deployments.append({"id": 77, "sha": SHA, "environment": "prod-eu"})
        github.tell(BACK, Place())
        assert [(one["of"], one["state"]) for one in there.statuses] == [(77, "failure")]
        assert len(there.deployments) == 1

    @pytest.mark.parametrize(
        ("phase", "state"),
        [(Phase.FAILED_TO_START, "error"), (Phase.SUPERSEDED, "inactive"), (Phase.WITHDRAWN, "inactive")],
    )
    def test_other_ends(self, there: Repository, github: GitHub, phase: Phase, state: str) -> None:
        github.tell(fact(Topic.ENDED, phase=phase), Place())
        assert there.statuses[-1]["state"] == state

    def test_without_a_commit_there_is_nothing_to_say(self, there: Repository, github: GitHub) -> None:
        github.tell(replace(DONE, release=replace(DONE.release, origin={"repository": "evil/other"})), Place())
        github.tell(fact(Topic.WINDOW_CLOSED), Place())
        assert there.came == []

    def test_a_repository_comes_from_the_configuration_alone(self, there: Repository) -> None:
        api = there.url.removesuffix("/hook")
        github = GitHub(BASE, lambda: "ghs_token", repositories={"cart": "acme/cart"}, api=api)
        github.tell(replace(DONE, release=replace(DONE.release, origin={"commit": SHA, "repository": "a/b"})), Place())
        assert there.came == []
        for wrong in ("acme", "acme/../x", "acme/..", "acme/a b", "acme/x/y"):
            with pytest.raises(ValueError, match="OWNER/NAME"):
                GitHub(BASE, lambda: "t", wrong)
        with pytest.raises(ValueError, match="repository"):
            GitHub(BASE, lambda: "t")

    @pytest.mark.parametrize(
        ("reply", "kind", "after"),
        [
            (Reply(500), Unavailable, None),
            (Reply(401), Unavailable, None),
            (Reply(403, {"x-ratelimit-remaining": "0", "retry-after": "17"}), Unavailable, 17.0),
            (Reply(429, {"retry-after": "3"}), Unavailable, 3.0),
            (Reply(429, {"retry-after": "\u00b2", "x-ratelimit-reset": "\u00b2"}), Unavailable, None),
            (Reply(422, {}, b'{"message": "Conflict merging main"}'), Refused, None),
            (Reply(301, {"location": "http://127.0.0.1:1/"}), Refused, None),
        ],
    )
    def test_trouble_is_told_apart(self, there: Repository, github: GitHub, reply, kind, after) -> None:
        there.replies.append(reply)
        with pytest.raises(kind) as raised:
            github.tell(DONE, Place())
        assert getattr(raised.value, "retry_after", None) == after


def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with receiver() as there:
        url = there.url
    with pytest.raises(Unavailable, match="does not answer"):
        Webhook(BASE, url, [SECRET]).tell(DONE, Place())


def test_two_secrets_sign_both_and_none_is_an_error() -> None:
    with receiver() as there:
        other = "whsec_" + "QUJDRA" * 8
        Webhook(BASE, there.url, [SECRET, other]).tell(DONE, Place())
        assert len(there.came[0].headers["webhook-signature"].split(" ")) == 2
    for secrets in ([], ["guess"]):
        with pytest.raises(ValueError, match="secret"):
            Webhook(BASE, "https://example.org/", secrets)
    with pytest.raises(ValueError, match="URL"):
        Webhook(BASE, "file:///etc/passwd", [SECRET])


class TestGitHubApp:
    @pytest.fixture
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @pytest.fixture
    def pem(self, key: rsa.RSAPrivateKey) -> str:
        kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return key.private_bytes(*kinds).decode()

    def test_an_app_signs_asks_once_an_hour_and_uses_what_it_got(self, key: rsa.RSAPrivateKey, pem: str) -> None:
        now = [NOW / SECOND]
        with receiver() as there:
            there.usual = _said(201, {"token": "ghs_token", "expires_at": "..."})
            token = AppToken(there.url.removesuffix("/hook"), "12345", "67890", pem, now=lambda: now[0])
            for later in (0.0, 2000.0, 3100.0):
                now[0] = NOW / SECOND + later
                assert token() == "ghs_token"
            assert [one.path for one in there.came] == ["/app/installations/67890/access_tokens"] * 2
            signed = there.came[0].headers["authorization"].removeprefix("Bearer ")
            claims = jwt.decode(
                signed, key.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
            )
            assert claims["iss"] == "12345"
            assert claims["exp"] - claims["iat"] <= 600

    def test_trouble_and_mistakes_are_told_apart(self, pem: str) -> None:
        with receiver() as there:
            api = there.url.removesuffix("/hook")
            there.replies += [Reply(500), Reply(422), _said(201, {})]
            for kind in (Unavailable, Refused, Refused):
                with pytest.raises(kind):
                    AppToken(api, "12345", "67890", pem)()
        with pytest.raises(ValueError, match="private key"):
            AppToken(api, "12345", "67890", "guess")
        with pytest.raises(ValueError, match="number"):
            AppToken(api, "12345", "../x", pem)

    def test_the_configuration_has_one_way_to_prove_itself(self, pem: str) -> None:
        make = SUBSCRIBERS["github"]
        make(BASE, app={"id": "1", "installation": "2", "key": pem}, repository="acme/{service}")
        for wrong in ({}, {"token": "t", "app": {}}, {"app": {"id": "1"}}):
            with pytest.raises(ValueError, match=r"app|token"):
                make(BASE, repository="acme/{service}", **wrong)
