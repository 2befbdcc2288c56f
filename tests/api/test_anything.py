"""Whatever is sent: never a fault of ours, always a problem document where it is refused."""

import json
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.test_actions import begin
from tests.api.world import SERVICE, bearer, event, signed

ROOT = bearer("root")
TEXT = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["checkout", "local", "rel_01JD", "\x00", "\ud800", "../..", "%00", "1" * 400, "ſ", "*", "cluster:local", '"1"']
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
SETTINGS = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
GOOD = {
    "start_release": {"service": "checkout", "version": "1.4.3"},
    "resume": {"holds": ["pause"], "reason": "x"},
    "put_service": SERVICE,
    "check_service": SERVICE,
    "preview": {"document": SERVICE},
    "put_stop": {"scope": "*", "reason": "x"},
    "replay_inbox": {"deliveries": [{"source": "ci", "key": "k"}]},
    "discard_inbox": {"deliveries": [{"source": "ci", "key": "k"}]},
    "replay_outbox": {"keys": ["k"]},
    "discard_outbox": {"keys": ["k"]},
}


def operations(document):
    """Every operation but the streams, which would not end."""
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not operation["operationId"].startswith("stream"):
                found.append((method.upper(), path, operation))
    return found


@st.composite
def mangled(draw, good):
    """A good document with some of it replaced, taken out, or put in."""
    if not isinstance(good, dict) or draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    document = dict(good)
    for key in draw(st.lists(st.sampled_from(sorted(good) or ["x"]), max_size=2)):
        if draw(st.booleans()):
            document.pop(key, None)
        else:
            document[key] = draw(mangled(good.get(key)))
    if draw(st.integers(0, 4)) == 0:
        document[draw(TEXT)] = draw(JSON)
    return document


@st.composite
def requests(draw, operations, release):
    method, path, operation = draw(st.sampled_from(operations))
    known = {"id": release, "name": "checkout", "source": "ci"}
    for name, good in known.items():
        value = good if draw(st.booleans()) else draw(TEXT)
        path = path.replace(f"{{{name}}}", urllib.parse.quote(value.encode("utf-8", "surrogatepass"), safe=""))
    query = {
        one["name"]: draw(TEXT | st.integers().map(str) | st.just("2026-11-24T10:02:11Z"))
        for one in operation.get("parameters", [])
        if one["in"] == "query" and draw(st.integers(0, 2)) == 0
    }
    headers = {
        one["name"]: draw(HEADER).encode("latin-1")
        for one in operation.get("parameters", [])
        if one["in"] == "header" and draw(st.integers(0, 2)) == 0
    }
    body = draw(bodies(operation)) if method in ("POST", "PUT") else b""
    media = draw(st.sampled_from(["application/json", "application/json", "application/yaml", "text/plain", "é"]))
    pairs = [(name, value.encode("utf-8", "surrogatepass")) for name, value in query.items()]
    url = f"{path}?{urllib.parse.urlencode(pairs)}" if pairs else path
    return method, url, {**headers, "Content-Type": media.encode("latin-1")}, body


@st.composite
def bodies(draw, operation):
    if draw(st.integers(0, 6)) == 0:
        return draw(st.binary(max_size=60))
    good = GOOD.get(operation["operationId"], {"reason": "x"})
    return json.dumps(good if draw(st.integers(0, 3)) == 0 else draw(mangled(good))).encode()


def check(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"].startswith("urn:delivery:problem:")
        assert answer.json()["detail"]


def test_no_request_is_a_fault_of_ours(either, either_world):
    release = begin(either, either_world)
    asked = operations(either.get("/openapi.json").json())
    seen = set()

    @SETTINGS
    @given(requests(asked, release))
    def ask(request):
        method, url, headers, body = request
        answer = either.request(method, url, headers={**ROOT, **headers}, content=body)
        check(answer)
        seen.add(answer.status_code)

    ask()
    assert {200, 404, 422} <= seen


def test_no_signed_event_is_a_fault_of_ours(either, either_world):
    assert either.put("/v1/services/checkout", json=SERVICE, headers=ROOT).status_code == 201
    seen = set()

    @SETTINGS
    @given(mangled(event()), st.sampled_from(["gh-1", "gh-2"]))
    def send(document, key):
        headers, body = signed(json.dumps(document).encode(), key)
        answer = either.post("/v1/webhooks/ci", content=body, headers=headers)
        check(answer)
        seen.add(answer.status_code)

    send()
    assert {202, 400} <= seen


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_body_that_is_announced_longer_or_shorter_than_it_is(http, size):
    answer = http.post("/v1/plan", content=b'{"service": "checkout"}', headers={**ROOT, "Content-Length": str(size)})
    check(answer)
