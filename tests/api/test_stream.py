"""The live stream: everything so far, then each event as it happens, and nothing twice after a reconnect."""

import json
from collections.abc import Iterator

import httpx
import pytest

from api.app import create_app
from tests.api.server import LIMIT, serving
from tests.api.test_actions import act, begin, get
from tests.api.world import SERVICE, bearer

VERA, ADAM = bearer("vera"), bearer("adam")


@pytest.fixture
def live(http, world) -> Iterator[tuple[httpx.Client, str]]:
    """A client of a real server, and a release that bakes."""
    release = begin(http, world)
    with serving(create_app(world.services)) as base, httpx.Client(base_url=base, timeout=LIMIT) as client:
        yield client, release


def sent(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Events of a stream, each with its fields."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            yield fields
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def follow(client, release, last=None):
    headers = {**VERA, **({} if last is None else {"Last-Event-ID": str(last)})}
    return client.stream("GET", f"/v1/releases/{release}/stream", headers=headers)


def history(client, release):
    return client.get(f"/v1/releases/{release}/events", headers=VERA).json()["events"]


def test_what_was_and_what_happens_until_the_end(live, world):
    client, release = live
    before = history(client, release)
    with follow(client, release) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = sent(response.iter_lines())
        seen = [next(events) for _ in before]
        act(client, release, "abort", ADAM)
        world.go(5)
        seen += list(events)
    *seen, end = seen
    assert [json.loads(one["data"]) for one in seen] == history(client, release)
    assert [(int(one["id"]), one["event"]) for one in seen] == [
        (one["seq"], one["type"]) for one in history(client, release)
    ]
    assert (end["event"], json.loads(end["data"])) == ("end", {"state": "rolled_back"})


def test_a_reconnect_goes_on_after_what_was_seen(live, world):
    client, release = live
    with follow(client, release) as response:
        events = sent(response.iter_lines())
        last = [int(next(events)["id"]) for _ in range(3)][-1]
    act(client, release, "abort", ADAM)
    world.go(5)
    with follow(client, release, last) as response:
        missed = [int(one["id"]) for one in sent(response.iter_lines()) if "id" in one]
    assert missed == list(range(last + 1, len(history(client, release)) + 1))


@pytest.mark.parametrize("path", ["/v1/releases/stream", "/v1/releases/{}/stream"])
def test_whoever_follows_shows_anew_who_they_are_by_and_by(live, http, path, monkeypatch):
    client, release = live
    monkeypatch.setattr("api.routes.stream.LASTS", 0.5)
    body = {"name": "robot", "principal": "robot", "role": "viewer"}
    made = http.post("/v1/tokens", json=body, headers=bearer("root")).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    with client.stream("GET", path.format(release), headers=headers) as response:
        told = list(sent(response.iter_lines()))
    assert told
    assert "end" not in [one["event"] for one in told]
    http.delete("/v1/tokens/robot", headers=bearer("root"))
    assert client.get(path.format(release), headers=headers).status_code == 401


def test_a_reader_who_saw_the_end_is_told_not_to_come_back(live, world):
    client, release = live
    act(client, release, "abort", ADAM)
    world.go(5)
    last = history(client, release)[-1]["seq"]
    answer = client.get(f"/v1/releases/{release}/stream", headers={**VERA, "Last-Event-ID": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["-1", "soon", str(2**40)])
def test_a_last_event_that_is_no_number(http, world, last):
    release = begin(http, world)
    answer = http.get(f"/v1/releases/{release}/stream", headers={**VERA, "Last-Event-ID": last})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:delivery:problem:invalid")


def test_streams_are_bounded_and_one_that_ends_makes_room(http, world):
    release = begin(http, world)
    app = create_app(world.services)
    app.state.running.streams.most = 1
    with serving(app) as base, httpx.Client(base_url=base, timeout=LIMIT) as client:
        _one_after_the_other(client, release, world)


def _one_after_the_other(client, release, world):
    with follow(client, release) as response:
        events = sent(response.iter_lines())  # kept: a stream that nobody refers to is closed
        next(events)
        refused = client.get(f"/v1/releases/{release}/stream", headers=VERA)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:delivery:problem:too-many-streams")
        assert "delivery_api_streams 1.0" in client.get("/metrics").text
    act(client, release, "abort", ADAM)
    world.go(5)
    response = client.get(f"/v1/releases/{release}/stream", headers=VERA)
    for _ in range(1000):  # the server sees that the reader is gone a little later
        if response.status_code != 429:
            break
        response = client.get(f"/v1/releases/{release}/stream", headers=VERA)
    assert response.text.rstrip().endswith('{"state": "rolled_back"}')


def test_the_server_ends_while_somebody_listens(http, world):
    release = begin(http, world)
    with (
        serving(create_app(world.services)) as base,
        httpx.Client(base_url=base, timeout=LIMIT) as client,
        follow(client, release) as response,
    ):
        events = sent(response.iter_lines())  # kept: a stream that nobody refers to is closed
        next(events)


def rest_of(client, world, release, query=""):
    """What the stream of all says of releases while one is aborted: its id and state, each time."""
    seen = []
    with client.stream("GET", f"/v1/releases/stream{query}", headers=VERA) as response:
        for one in sent(response.iter_lines()):
            assert one["event"] == "release"
            shown = json.loads(one["data"])
            seen.append((shown["id"], shown["state"]))
            if len(seen) == 1:
                act(client, release, "abort", ADAM)
                world.go(5)
            if shown["state"] == "rolled_back":
                assert shown.items() <= get(client, release).json().items()
                return seen
    raise AssertionError(f"it ended: {seen}")


@pytest.mark.parametrize("query", ["", "?service=checkout", "?cluster=local&service=checkout"])
def test_the_stream_of_all_has_what_is_open_and_each_change_the_end_too(live, world, query):
    client, release = live
    seen = rest_of(client, world, release, query)
    assert (seen[0], seen[-1]) == ((release, "progressing"), (release, "rolled_back"))
    assert {one for one, _ in seen} == {release}


def test_the_stream_of_another_service_says_nothing_of_this_one(live, world):
    client, release = live
    other = {**SERVICE, "service": "basket", "workload": {"process": "checkout"}}
    assert client.put("/v1/services/basket", json=other, headers=bearer("olga")).status_code == 201
    with client.stream("GET", "/v1/releases/stream?service=basket", headers=VERA) as response:
        act(client, release, "pause", ADAM)
        client.post("/v1/releases", json={"service": "basket", "version": "1"}, headers=bearer("olga"))
        first = next(sent(response.iter_lines()))
    assert json.loads(first["data"])["service"] == "basket"


@pytest.mark.parametrize("query", ["?service=Not_A_Name", "?cluster=../x"])
def test_a_stream_of_what_cannot_be(http, query):
    answer = http.get(f"/v1/releases/stream{query}", headers=VERA)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:delivery:problem:invalid")
