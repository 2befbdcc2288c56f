"""Events in: what is taken, what is refused, and that nothing is done twice or lost."""

import json

import pytest

from delivery.model.ids import MINUTE, Micros
from tests.api.world import NOW, OLD_SECRET, SERVICE, bearer, event, signed

URL = "/v1/webhooks/ci"
VERA, OLGA = bearer("vera"), bearer("olga")


def send(http, *args, **kwargs):
    headers, body = signed(*args, **kwargs)
    return http.post(URL, content=body, headers=headers)


def kind(answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.json()["type"].removeprefix("urn:delivery:problem:")


def releases(http):
    return http.get("/v1/releases", headers=VERA).json()["releases"]


@pytest.fixture
def checkout_either(either):
    assert either.put("/v1/services/checkout", json=SERVICE, headers=OLGA).status_code == 201
    return either


def test_a_signed_event_starts_a_release_and_says_so_after_the_commit(checkout_either):
    answer = send(checkout_either, event())
    assert answer.status_code == 202
    said = answer.json()
    assert said["outcome"] == "release"
    (release,) = releases(checkout_either)
    assert said["release"] == {"id": release["id"], "url": release["links"]["self"]}
    assert (release["to"]["version"], release["actor"], release["cluster"]) == ("1.4.2", "ci-alice", "local")


def test_the_same_delivery_again_gets_the_same_answer_and_changes_nothing(checkout_either):
    first = send(checkout_either, event())
    again = send(checkout_either, event(), at=Micros(NOW + MINUTE))
    assert (again.status_code, again.json()) == (202, first.json())
    assert len(releases(checkout_either)) == 1


def test_what_became_of_it_in_another_cluster_is_told_beside_it(either):
    everywhere = {**SERVICE, "cluster": ["local", "other"], "on_new_version": "reject"}
    assert either.put("/v1/services/checkout", json=everywhere, headers=OLGA).status_code == 201
    assert send(either, event("1.4.2", "gh-1", cluster="other")).json()["others"] == []

    answer = send(either, event("1.4.3", "gh-2", cluster=None))
    assert answer.json()["outcome"] == "release"
    (busy,) = answer.json()["others"]
    assert (busy["target"], busy["outcome"], busy["reason"]) == ("checkout@other", "no_op", "busy")
    assert busy["text"].startswith("another release runs")
    assert {(one["cluster"], one["to"]["version"]) for one in releases(either)} == {
        ("local", "1.4.3"),
        ("other", "1.4.2"),
    }
    assert send(either, event("1.4.3", "gh-2", cluster=None)).json() == answer.json()


def test_the_same_id_with_another_body_is_refused(checkout_either):
    send(checkout_either, event())
    answer = send(checkout_either, event(version="6.6.6"))
    assert (answer.status_code, kind(answer)) == (409, "key-reused")
    assert [one["to"]["version"] for one in releases(checkout_either)] == ["1.4.2"]


def test_a_newer_and_an_older_event_out_of_order(checkout_either):
    send(checkout_either, event("1.4.3", "gh-2", time="2026-11-24T10:02:11Z"))
    late = send(checkout_either, event("1.4.2", "gh-1", time="2026-11-24T10:02:10Z"))
    assert late.status_code == 202
    assert late.json()["outcome"] == "no_op"
    assert late.json()["reason"]
    assert late.json()["text"]
    assert [one["to"]["version"] for one in releases(checkout_either)] == ["1.4.3"]


def test_an_event_for_every_cluster_is_a_release_in_each(checkout_either):
    checkout_either.put("/v1/services/checkout", json={**SERVICE, "cluster": ["local", "other"]}, headers=OLGA)
    answer = send(checkout_either, event(cluster=None))
    assert len(answer.json()["releases"]) == 2
    assert {one["cluster"] for one in releases(checkout_either)} == {"local", "other"}


def test_either_of_two_secrets_fits_while_one_replaces_the_other(checkout):
    assert send(checkout, event(), secret=OLD_SECRET).status_code == 202


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-signature", None),
        ("webhook-id", None),
        ("webhook-timestamp", None),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v2,AAAA"),
        ("webhook-id", "another"),
        ("webhook-timestamp", "yesterday"),
        ("webhook-timestamp", "1"),
    ],
)
def test_a_missing_or_wrong_signature(checkout, header, value):
    headers, body = signed(event())
    del headers[header]
    answer = checkout.post(URL, content=body, headers=headers | ({header: value} if value else {}))
    assert (answer.status_code, kind(answer)) == (401, "unsigned")
    assert releases(checkout) == []


def test_a_body_that_was_changed_on_its_way(checkout):
    headers, body = signed(event())
    answer = checkout.post(URL, content=body.replace(b"1.4.2", b"6.6.6"), headers=headers)
    assert (answer.status_code, kind(answer)) == (401, "unsigned")


def test_another_senders_secret(checkout):
    answer = send(checkout, event(), secret="whsec_dGhlIHNlY3JldCBvZiBzb21lYm9keSBlbHNl")
    assert (answer.status_code, kind(answer)) == (401, "unsigned")


@pytest.mark.parametrize("off", [-6, 6])
def test_a_signature_that_is_old_or_from_the_future(checkout, off):
    answer = send(checkout, event(), at=Micros(NOW + off * MINUTE))
    assert (answer.status_code, kind(answer)) == (401, "stale-signature")
    assert releases(checkout) == []


def test_a_source_that_is_not_configured(checkout):
    headers, body = signed(event())
    answer = checkout.post("/v1/webhooks/nobody", content=body, headers=headers)
    assert (answer.status_code, kind(answer)) == (404, "unknown-source")
    assert "[sources.nobody] with a dialect and a secret" in answer.json()["detail"]


NONSENSE = {
    "empty": b"",
    "cut off": b"{",
    "a list": b"[]",
    "null": b"null",
    "no UTF-8": b"\xff",
    "not a number": b'{"a": NaN}',
    "another version": json.dumps({**event(), "specversion": "0.3"}).encode(),
    "another type": json.dumps({**event(), "type": "something.else"}).encode(),
    "no id": json.dumps({**event(), "id": ""}).encode(),
    "no time": json.dumps({**event(), "time": "soon"}).encode(),
    "no data": json.dumps({**event(), "data": []}).encode(),
    "a service that is no DNS-1123 name": json.dumps(event(service="Checkout_1")).encode(),
    "a service with a NUL": json.dumps(event(service="check\x00out")).encode(),
    "a cluster that is a path": json.dumps(event(cluster="../etc")).encode(),
    "a version of two lines": json.dumps(event(version="1.4.2\n")).encode(),
    "no version": json.dumps(event(version="")).encode(),
    "a flag that is text": json.dumps(event(urgent="yes")).encode(),
    "an unknown field": json.dumps(event(surprise=1)).encode(),
    "deep lists": b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_a_signed_body_that_says_nothing_we_understand(checkout, body):
    answer = send(checkout, body)
    assert (answer.status_code, kind(answer)) == (400, "malformed")
    assert answer.json()["reason"]
    assert releases(checkout) == []


def test_another_content_type(checkout):
    headers, body = signed(event())
    answer = checkout.post(URL, content=body, headers=headers | {"content-type": "text/plain"})
    assert (answer.status_code, kind(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"service": "payments"}, "unknown_service"), ({"cluster": "mars"}, "unknown_cluster")],
)
def test_a_name_that_is_not_there_is_told_and_may_come_again_later(checkout, change, reason):
    answer = send(checkout, event(**change))
    assert (answer.status_code, kind(answer)) == (422, "unknown-name")
    assert answer.json()["reason"] == reason


def test_an_event_for_a_service_that_comes_later_is_taken_when_it_is_sent_again(http):
    assert send(http, event()).status_code == 422
    http.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    assert send(http, event()).status_code == 202


def test_a_huge_body_is_refused_before_it_is_read(checkout):
    headers, _ = signed(event())
    huge = b" " * (1024 * 1024 + 1)
    announced = checkout.post(URL, content=huge, headers=headers)
    assert (announced.status_code, kind(announced)) == (413, "too-large")

    chunks = (b" " * 65_536 for _ in range(17))  # a generator has no length to announce
    chunked = checkout.post(URL, content=chunks, headers=headers)
    assert (chunked.status_code, kind(chunked)) == (413, "too-large")


def test_a_body_of_just_the_limit_is_read(checkout):
    _, body = signed(event())
    padded = body[:-1] + b" " * (1024 * 1024 - len(body)) + b"}"
    assert send(checkout, padded).status_code == 202
