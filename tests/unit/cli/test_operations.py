"""Stop, inbox, outbox, doctor, webhook: what operators and pipelines need beside releases."""

import json
from dataclasses import replace

import httpx
import pytest

from delivery.cli import session
from delivery.model.ids import Micros, ReleaseId
from delivery.ports.errors import Unavailable
from delivery.ports.rows import OutboxState, Outgoing, Unit
from tests.api.world import NOW, SECRET, secret
from tests.receiver import Reply, receiver
from tests.unit.cli.conftest import mocked

HANDS_OFF = "nothing of ours is written here until a resume of the service: a way back is not, either"


def test_a_stop_is_set_listed_and_lifted(sh, checkout):
    assert "incident 7" in sh("stop", "set", "-m", "incident 7").out
    assert sh("stop", "set", "-m", "too", "--cluster", "local").code == 0
    assert [one["scope"] for one in json.loads(sh("stop", "list", "-o", "json").out)] == ["*", "cluster:local"]
    assert sh("stop", "lift", "--cluster", "local").code == 0
    assert sh("stop", "lift").err.strip() == "nothing is stopped"
    again = sh("stop", "lift")
    assert (again.code, "nothing is stopped in the scope" in again.err) == (1, True)
    assert sh("stop", "set", "-m", "x", "--cluster", "local", "--owner", "me").code == 64


def test_dead_messages_are_listed_replayed_and_discarded(sh, checkout):
    dead = Outgoing(
        "rel_1:4:slack:#c", "slack:#c", ReleaseId("rel_1"), 4, "promoted", Micros(NOW), False,
        OutboxState.DEAD, 9, "channel_not_found",
    )  # fmt: skip
    checkout.ledger.commit([Unit(outbox=(dead, replace(dead, key="rel_1:5:slack:#c", seq=5)))])
    listed = sh("outbox", "list").out
    assert "channel_not_found" in listed
    assert sh("outbox", "replay", "rel_1:4:slack:#c").out == "1 message to be sent again\n"
    assert sh("outbox", "discard", "rel_1:5:slack:#c").out == "1 message discarded\n"
    assert sh("outbox", "list").err.strip() == "no message is dead"
    missing = sh("outbox", "replay", "rel_9")
    assert (missing.code, "rel_9" in missing.err) == (1, True)


def test_the_inbox_is_listed_by_state(sh, checkout):
    assert sh("inbox", "list").err.strip() == "no delivery is dead"
    done = sh("inbox", "list", "--state", "done").out
    assert "api:olga-laptop" in done
    (one, *_) = json.loads(sh("inbox", "list", "--state", "done", "-o", "json").out)
    assert "checkout" in sh("inbox", "show", one["source"], one["key"]).out
    assert sh("inbox", "show", "ci", "gh-404").code == 1
    assert sh("inbox", "replay", "ci", "gh-404").code == 1
    assert sh("inbox", "discard", "ci", "gh-404").code == 1


def test_doctor_finds_nothing_where_all_is_well(sh, checkout):
    checkout.ledger.beat("worker@here", "local")
    ran = sh("doctor")
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["api", "ok"],
        ["database", "ok"],
        ["workers", "ok"],
        ["token", "ok"],
        ["services", "ok"],
    ]


def test_doctor_names_what_is_wrong_and_what_to_do(sh, checkout):
    sh("stop", "set", "-m", "incident 7")
    ran = sh("doctor", "-o", "json", who="vera")
    found = {one["what"]: one for one in json.loads(ran.out)}
    assert found["workers"]["state"] == "warning"
    assert "delivery worker" in found["workers"]["text"]
    assert "viewer" in found["token"]["text"]
    assert "incident 7" in found["stop"]["text"]
    refused = sh("doctor", "--token", "nonsense")
    assert (refused.code, "token" in refused.out) == (1, True)


def test_doctor_tells_what_runs_and_what_it_waits_for(sh, checkout):
    sh("release", "start", "checkout", "1.4.2")
    checkout.go(20)
    sh("release", "pause", "2", "-m", "lunch")
    found = {one["what"]: one for one in json.loads(sh("doctor", "-o", "json").out)}["checkout@local/2"]
    assert found["state"] == "warning"
    assert "paused by olga: lunch" in found["text"]
    assert "explain checkout@local/2" in found["advice"]


def test_doctor_tells_a_mesh_that_does_not_answer(sh, checkout):
    sh("release", "start", "checkout", "1.4.2")
    checkout.go(20)
    checkout.mesh.down = True
    checkout.go(80)
    found = {one["what"]: one for one in json.loads(sh("doctor", "-o", "json").out)}["checkout@local/2"]
    assert "the mesh cannot be reached" in found["text"]
    assert (found["state"], found["advice"]) == ("warning", "`delivery release explain checkout@local/2`")
    assert "the mesh cannot be reached" in sh("release", "show", "2").out


def test_doctor_without_a_database(sh, checkout, monkeypatch):
    def away(*_: object) -> None:
        raise Unavailable("the database is locked")

    monkeypatch.setattr(type(checkout.ledger), "workers", away)
    ran = sh("doctor")
    assert ran.code == 1
    assert "something behind this service does not answer" in ran.out


def test_doctor_where_nobody_answers(sh, monkeypatch):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(session, "Api", mocked(refuse))
    ran = sh("doctor")
    assert ran.code == 1
    assert "does not answer: connection refused" in ran.out


def test_a_signed_event_starts_a_release_without_a_token(sh, checkout, monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW / 1e6)
    words = ("webhook", "send", "checkout", "1.4.2", "--secret", SECRET, "--id", "run-7", "--actor", "dora")
    sent = sh(*words, "--commit", "4be1d0c", "-o", "json", who=None)
    assert sent.code == 0, sent.err
    assert json.loads(sent.out)["outcome"] == "release"
    shown = json.loads(sh("release", "show", "2", "-o", "json").out)
    assert (shown["actor"], shown["origin"]["commit"]) == ("dora", "4be1d0c")


def test_a_wrong_secret_is_told_from_one_that_is_none(sh, checkout):
    wrong = sh("webhook", "send", "checkout", "1.4.2", "--actor", "dora", "--secret", "whsec_" + "A" * 32)
    assert (wrong.code, "signature" in wrong.err) == (1, True)
    none = sh("webhook", "send", "checkout", "1.4.2", "--actor", "dora", "--secret", "hunter2")
    assert (none.code, "whsec_" in none.err) == (64, True)
    assert sh("webhook", "send", "checkout", "1.4.2", "--actor", "dora").code == 64
    assert "--actor" in sh("webhook", "send", "checkout", "1.4.2", "--secret", SECRET).err


def test_a_job_of_ci_sends_by_its_own_token_instead_of_a_secret(sh, checkout, transport, monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW / 1e6)
    words = ("webhook", "send", "checkout", "1.4.2", "--actor", "dora")
    gitlab = sh(*words, "--token", "e.y.J")
    assert (gitlab.code, transport.sent[-1].headers["authorization"]) == (1, "Bearer e.y.J")
    with receiver() as issuer:
        issuer.usual = Reply(200, {}, b'{"value": "e.y.K"}')
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{issuer.url}?v=1")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret")
        github = sh(*words, "--oidc", "https://delivery.example.org", who=None)
    assert (github.code, transport.sent[-1].headers["authorization"]) == (1, "Bearer e.y.K")
    assert "webhook-id" not in transport.sent[-1].headers
    nothing = sh(*words)
    assert (nothing.code, "nothing proves who sends this" in nothing.err) == (64, True)


def test_signing_a_body_gives_headers_that_are_accepted(sh, checkout, transport, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW / 1e6)
    (tmp_path / "event.json").write_text(
        '{"specversion": "1.0", "id": "e1", "source": "x", "type": "delivery.release.requested.v1",'
        ' "time": "2026-11-24T10:02:11Z", "data": {"service": "checkout", "version": "1.4.2", "actor": "dora"}}'
    )
    signed = json.loads(sh("webhook", "sign", str(tmp_path / "event.json"), "--secret", SECRET, "-o", "json").out)
    request = httpx.Request(
        "POST",
        "http://127.0.0.1:8080/v1/webhooks/ci",
        headers={**signed, "content-type": "application/cloudevents+json"},
        content=(tmp_path / "event.json").read_bytes(),
    )
    assert transport.handle_request(request).status_code == 202
    assert "cannot be read" in sh("webhook", "sign", str(tmp_path / "none"), "--secret", SECRET).err


@pytest.mark.parametrize("place", ["option", "variable", "file"])
def test_address_and_token_come_from_option_variable_or_file(sh, checkout, transport, monkeypatch, tmp_path, place):
    url, token = "http://api.test:1234", secret("vera")
    words = ["release", "list"]
    if place == "option":
        words += ["--url", url, "--token", token]
    elif place == "variable":
        monkeypatch.setenv("DELIVERY_URL", url)
        monkeypatch.setenv("DELIVERY_TOKEN", token)
    else:
        (tmp_path / "profile.toml").write_text(f'url = "{url}/"\ntoken = "{token}"\n')
    assert sh(*words, who=None).code == 0
    assert (str(transport.sent[-1].url).startswith(url), transport.sent[-1].headers["authorization"]) == (
        True,
        f"Bearer {token}",
    )


def test_a_profile_that_is_gone_is_told_and_not_taken_for_a_bad_token(sh, checkout):
    gone = sh("release", "list", who=None)
    assert gone.code == 1
    assert "profile.toml that DELIVERY_PROFILE names is not there" in gone.err
    assert sh("release", "list").code == 0


def test_a_stored_token_goes_to_its_own_server_only(sh, checkout, transport, tmp_path):
    (tmp_path / "profile.toml").write_text('url = "http://one.test"\ntoken = "mine"\n')
    assert sh("release", "list", "--url", "http://other.test", who=None).code == 1
    assert "authorization" not in transport.sent[-1].headers
    (tmp_path / "profile.toml").write_text("url = 7\n")
    broken = sh("release", "list", who=None)
    assert (broken.code, "profile" in broken.err) == (1, True)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(502, text="<html>\nbad gateway"), "answered 502 Bad Gateway"),
        (httpx.Response(200, text="hello"), "is no delivery API"),
        (httpx.Response(503, json={"detail": "the database cannot be reached"}), "delivery doctor"),
    ],
)
def test_answers_of_something_else(sh, monkeypatch, answer, says):
    monkeypatch.setattr(session, "Api", mocked(lambda request: answer))
    ran = sh("release", "list")
    assert (ran.code, says in ran.err) == (1, True), ran.err


def test_a_service_is_taken_in_hand_and_given_back(sh, checkout):
    assert sh("pause", "--service", "checkout", "-m", "incident 7").out == f"{HANDS_OFF}\n"
    assert "paused: " in sh("services", "show", "checkout").out
    assert sh("resume", "--service", "checkout").out == "routes are ours again\n"
    assert sh("pause", "--service", "nothing", "-m", "x").code == 1


def test_a_person_takes_the_routes_in_hand_and_gives_them_back(sh, checkout):
    assert sh("pause", "--service", "checkout").code == 64
    taken = sh("pause", "--service", "checkout", "-m", "incident 7")
    assert (taken.code, taken.out) == (0, f"{HANDS_OFF}\n")
    assert "olga: incident 7" in sh("services", "list").out
    assert "nothing is written: olga: incident 7" in sh("doctor").out
    assert sh("resume", "--service", "checkout").code == 0
    assert "incident 7" not in sh("services", "list").out
    unknown = sh("pause", "--service", "nothing", "-m", "x")
    assert (unknown.code, "no service nothing" in unknown.err) == (1, True)


def test_a_pause_in_the_mesh_itself_shows_like_one_of_ours(sh, checkout):
    checkout.mesh.pause("checkout@local", "its route says so; remove it to go on")
    checkout.go(2)
    for words in (("services", "show", "checkout"), ("services", "list"), ("doctor",)):
        assert "its route says so" in sh(*words).out


def test_who_may_not_come_in_is_told_which_proof_was_missing(sh, checkout):
    unsigned = sh("webhook", "send", "checkout", "1.4.2", "--actor", "dora", "--secret", "whsec_" + "A" * 32, who=None)
    assert "--token" not in unsigned.err
    assert "[sources.ci]" in unsigned.err
    nobody, stranger = sh("release", "list", who=None), sh("release", "list", "--token", "wrong", who=None)
    assert "no token was sent" in nobody.err
    assert "this token does not count" in stranger.err
    assert "DELIVERY_TOKEN" in nobody.err
