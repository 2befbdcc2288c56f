"""Release events as CloudEvents: what they mean, and what is refused for which reason."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from delivery.model.ids import MINUTE, SECOND, Micros, Principal
from delivery.model.notice import Notice, ReleaseRequested
from delivery.model.version import VersionRef
from delivery.sources.cloudevents import CloudEvents
from delivery.sources.errors import Malformed, Unsigned
from delivery.sources.signing import sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEN = 1795514531  # 2026-11-24T10:02:11Z
NOW = Micros(TEN * SECOND)
SOURCE = CloudEvents("ci", (SECRET,))
DATA = {
    "service": "checkout",
    "cluster": "prod-eu",
    "version": "1.4.2",
    "image": "ghcr.io/acme/checkout@sha256:9f2c",
    "commit": "4be1d0c",
    "actor": "alice",
    "run_url": "https://ci.example.org/912",
    "urgent": False,
}
EVENT: Mapping[str, Any] = {
    "specversion": "1.0",
    "id": "gh-912-1",
    "source": "https://github.com/acme/checkout",
    "type": "delivery.release.requested.v1",
    "time": "2026-11-24T10:02:11Z",
    "data": DATA,
}
REMOVED = object()


def changed(change: Mapping[str, Any]) -> dict[str, Any]:
    """The event with other attributes; `data.x` is a field of its data."""
    event, data = dict(EVENT), dict(DATA)
    for name, value in change.items():
        where, key = (data, name.removeprefix("data.")) if name.startswith("data.") else (event, name)
        where[key] = value
        if value is REMOVED:
            del where[key]
    return {**event, "data": data} if "data" not in change else event


def send(event: object, headers: Mapping[str, str] = MappingProxyType({}), now: Micros = NOW) -> Notice:
    body = json.dumps(event).encode()
    signed = sign(SECRET, "delivery-1", now // SECOND, body)
    return SOURCE.receive(
        {"content-type": "application/cloudevents+json; charset=utf-8", **signed, **headers}, body, now
    )


def asked(event: object) -> ReleaseRequested:
    says = send(event).says
    assert isinstance(says, ReleaseRequested)
    return says


def test_a_release_request() -> None:
    notice = send(EVENT)
    assert notice == Notice(
        source="ci",
        key="https://github.com/acme/checkout gh-912-1",
        digest=notice.digest,
        says=ReleaseRequested(
            service="checkout",
            version=VersionRef("1.4.2", "sha256:9f2c", "ghcr.io/acme/checkout@sha256:9f2c"),
            actor=Principal("alice"),
            cluster="prod-eu",
            origin={
                "commit": "4be1d0c",
                "run_url": "https://ci.example.org/912",
                "source": "https://github.com/acme/checkout",
                "delivery": "gh-912-1",
            },
        ),
        time=NOW,
    )


def test_the_least_that_can_be_said() -> None:
    says = asked({**EVENT, "data": {"service": "checkout", "version": "1.4.2", "actor": "alice"}})
    assert (says.cluster, says.urgent, says.actor) == (None, False, "alice")
    assert says.version == VersionRef("1.4.2", "1.4.2")


@pytest.mark.parametrize(
    ("image", "identity"),
    [
        ("ghcr.io/acme/checkout:1.4.2@sha256:9f2c", "sha256:9f2c"),
        ("mirror.example:5000/checkout@sha256:9f2c", "sha256:9f2c"),
        ("ghcr.io/acme/checkout:1.4.2", "ghcr.io/acme/checkout:1.4.2"),
        (REMOVED, "1.4.2"),
    ],
    ids=["tag-and-digest", "digest", "tag", "none"],
)
def test_identity_is_what_runs(image: object, identity: str) -> None:
    assert asked(changed({"data.image": image})).version.identity == identity


@pytest.mark.parametrize(
    ("time", "micros"),
    [
        ("2026-11-24T10:02:11Z", 0),
        ("2026-11-24t10:02:11z", 0),
        ("2026-11-24T11:02:11+01:00", 0),
        ("2026-11-24T10:02:11.5Z", 500_000),
        ("2026-11-24T10:02:11.123456789Z", 123_456),
    ],
)
def test_times(time: str, micros: int) -> None:
    assert send(changed({"time": time})).time == NOW + micros


@given(st.datetimes(datetime(2001, 1, 1), datetime(2026, 11, 24), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_time_is_read_to_the_microsecond(time: datetime) -> None:
    expected = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert send(changed({"time": time.isoformat()})).time == expected


BAD: list[tuple[Any, str, str, str]] = [
    ({"specversion": "0.3"}, "invalid_event", "/specversion", "specversion is '0.3'; expected \"1.0\""),
    ({"specversion": 1.0}, "invalid_event", "/specversion", "specversion is 1.0"),
    ({"id": REMOVED}, "invalid_event", "/id", "id is missing"),
    ({"id": ""}, "invalid_event", "/id", "id is ''"),
    ({"id": "a b"}, "invalid_event", "/id", "id is 'a b'"),
    ({"id": "x" * 101}, "invalid_event", "/id", "expected text of at most 100 visible characters"),
    ({"id": 912}, "invalid_event", "/id", "id is 912"),
    ({"source": REMOVED}, "invalid_event", "/source", "source is missing"),
    ({"source": "x" * 161}, "invalid_event", "/source", "a URI of at most 160 characters"),
    ({"type": REMOVED}, "unknown_type", "/type", "type is missing; expected delivery.release.requested.v1"),
    ({"type": "delivery.release.requested.v2"}, "unknown_type", "/type", "expected delivery.release.requested.v1"),
    ({"time": REMOVED}, "invalid_event", "/time", "time is missing; expected a time such as"),
    ({"time": "2026-11-24"}, "invalid_event", "/time", "time is '2026-11-24'; expected a time such as"),
    ({"time": "2026-11-24T10:02:11"}, "invalid_event", "/time", "expected a time such as"),
    ({"time": "2026-02-30T10:02:11Z"}, "invalid_event", "/time", "which is no time"),
    ({"time": "٢026-11-24T10:02:11Z"}, "invalid_event", "/time", "expected a time such as"),
    ({"time": TEN}, "invalid_event", "/time", f"time is {TEN}"),
    ({"time": "2026-11-24T10:07:12Z"}, "in_the_future", "/time", "is the sender's clock right?"),
    ({"datacontenttype": "text/xml"}, "invalid_event", "/datacontenttype", "expected application/json"),
    ({"data": REMOVED}, "invalid_event", "/data/service", "data.version is missing"),
    ({"data": REMOVED, "data_base64": "e30="}, "invalid_event", "/data_base64", "send the data as JSON"),
    ({"data": []}, "invalid_event", "/data", "data is an empty list; expected a mapping"),
    ({"data.service": "Checkout"}, "invalid_event", "/data/service", "expected a name of lower case letters"),
    ({"data.service": "a" * 64}, "invalid_event", "/data/service", "expected a name of lower case letters"),
    ({"data.service": "../x"}, "invalid_event", "/data/service", "expected a name of lower case letters"),
    ({"data.cluster": "prod_eu"}, "invalid_event", "/data/cluster", "expected a name of lower case letters"),
    ({"data.cluster": None}, "invalid_event", "/data/cluster", "data.cluster is empty"),
    ({"data.clusters": ["a"]}, "invalid_event", "/data/clusters", "did you mean cluster?"),
    ({"data.version": 1.4}, "invalid_event", "/data/version", "data.version is 1.4; expected a version"),
    ({"data.version": "1.4.2; rm -rf"}, "invalid_event", "/data/version", "expected a version"),
    ({"data.version": "v" * 129}, "invalid_event", "/data/version", "expected a version"),
    ({"data.image": "ghcr.io/x@sha+configured:9f"}, "invalid_event", "/data/image", "the name of an image, such as"),
    ({"data.image": "a b"}, "invalid_event", "/data/image", "expected the name of an image"),
    ({"data.image": "x@sha256:"}, "invalid_event", "/data/image", "expected the name of an image"),
    ({"data.image": "x" * 401}, "invalid_event", "/data/image", "expected the name of an image"),
    ({"data.image": "--privileged"}, "invalid_event", "/data/image", "expected the name of an image"),
    ({"data.actor": REMOVED}, "invalid_event", "/data/actor", "data.actor is missing"),
    ({"data.actor": "a\nb"}, "invalid_event", "/data/actor", "expected a line of text"),
    ({"data.actor": "a\0"}, "invalid_event", "/data/actor", "expected a line of text"),
    ({"data.commit": "4be 1d0c"}, "invalid_event", "/data/commit", "expected a commit"),
    ({"data.run_url": "javascript:alert(1)"}, "invalid_event", "/data/run_url", "expected an http or https URL"),
    ({"data.run_url": "https://a b"}, "invalid_event", "/data/run_url", "expected an http or https URL"),
    ({"data.urgent": "yes"}, "invalid_event", "/data/urgent", "expected true or false"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind", "pointer", "said"), BAD, ids=[f"{n}{pointer}" for n, (_, _, pointer, _) in enumerate(BAD)]
)
def test_what_is_refused(change: Mapping[str, Any], kind: str, pointer: str, said: str) -> None:
    event = changed(change)
    if change.get("data") is REMOVED:
        event.pop("data", None)
    with pytest.raises(Malformed) as caught:
        send(event)
    assert said in str(caught.value)
    assert (caught.value.kind, caught.value.pointer) == (kind, pointer)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(Malformed, match=r"id is ''.*; data.version is 1.*; data.urgent is 'no'"):
        send(changed({"id": "", "data.version": 1, "data.urgent": "no"}))


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, "media_type"),
        ({"content-type": ""}, "media_type"),
        ({"content-type": "application/cloudevents-batch+json"}, "media_type"),
        ({"content-type": "application/json", "ce-id": "gh-912-1"}, "binary_mode"),
        ({"content-type": "application/json", "CE-Specversion": "1.0"}, "binary_mode"),
    ],
    ids=repr,
)
def test_other_modes_are_refused(headers: dict[str, str], kind: str) -> None:
    with pytest.raises(Malformed) as caught:
        send(EVENT, headers)
    assert caught.value.kind == kind


def test_a_plain_json_content_type_will_do() -> None:
    assert send(EVENT, {"content-type": "application/json"}) == send(EVENT)


def test_the_signature_is_looked_at_before_anything_else() -> None:
    for body in (b"[" * 10_000, b"\xff", b""):
        with pytest.raises(Unsigned):
            SOURCE.receive({"webhook-id": "a", "webhook-timestamp": str(TEN), "webhook-signature": "v1,x"}, body, NOW)


def test_a_source_without_a_secret_takes_nothing() -> None:
    body = json.dumps(EVENT).encode()
    headers = sign(SECRET, "a", TEN, body)
    with pytest.raises(Unsigned, match="no secret"):
        CloudEvents("ci", ()).receive(headers, body, NOW)


def test_the_same_event_has_the_same_digest_however_it_is_written() -> None:
    shuffled = dict(reversed(list(EVENT.items())))
    assert send(shuffled).digest == send(EVENT).digest
    assert send({**EVENT, "traceparent": "00-1"}).digest == send(EVENT).digest
    assert send(changed({"data.version": "1.4.3"})).digest != send(EVENT).digest
    assert send(changed({"time": "2026-11-24T10:02:10Z"})).digest != send(EVENT).digest


def test_extensions_pass_and_say_nothing() -> None:
    assert asked({**EVENT, "traceparent": "00-1", "subject": "x", "dataschema": "https://x"}) == asked(EVENT)


def test_what_was_stored_reads_the_same_later() -> None:
    body = json.dumps(EVENT).encode()
    assert SOURCE.reread(body) == send(EVENT)
    with pytest.raises(Malformed):
        SOURCE.reread(b"[]")


def test_an_event_may_come_long_after_it_happened_but_not_before() -> None:
    assert send(EVENT, now=Micros(NOW + 60 * 24 * 60 * MINUTE)).time == NOW
    assert send(EVENT, now=Micros(NOW - 5 * MINUTE)).time == NOW


visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8)


@given(visible, visible, visible, visible)
@example("a#", "1", "a%23", "1")
def test_two_events_have_one_key_only_if_source_and_id_are_equal(s1: str, i1: str, s2: str, i2: str) -> None:
    first, second = (send(changed({"source": s, "id": i})).key for s, i in ((s1, i1), (s2, i2)))
    assert (first == second) == ((s1, i1) == (s2, i2))
    assert "#" not in first


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([*EVENT, *DATA, "x"]), inner),
    )
)
def test_whatever_is_signed_is_a_notice_or_malformed(event: object) -> None:
    with pytest.raises(Malformed):
        send(event)
