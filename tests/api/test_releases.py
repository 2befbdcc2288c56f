"""Looking at releases: lists and pages, the detail, its history, what was measured, why it waits."""

import hashlib
import json
import re
from typing import Any

import pytest

from delivery.model.codec import GENESIS
from tests.api.test_actions import GUARDED, act, begin, get
from tests.api.world import BASE, SERVICE, bearer

VERA, OLGA, ADAM = bearer("vera"), bearer("olga"), bearer("adam")


def listed(http, **query):
    return http.get("/v1/releases", params=query, headers=VERA)


def versions(answer):
    return [one["to"]["version"] for one in answer.json()["releases"]]


@pytest.fixture
def many(either, either_world):
    """1.0.0 is stable, 1.0.1 to 1.0.6 were aborted."""
    either.put("/v1/services/checkout", json=SERVICE, headers=OLGA)
    for patch in range(7):
        started = either.post("/v1/releases", json={"service": "checkout", "version": f"1.0.{patch}"}, headers=OLGA)
        either_world.go(5)
        if patch:
            act(either, started.json()["release"]["id"], "abort", ADAM)
            either_world.go(3)
    return either


def test_pages_follow_the_link_header_and_shift_nothing_when_releases_come(many):
    first = listed(many, per_page=3, service="checkout")
    assert versions(first) == ["1.0.6", "1.0.5", "1.0.4"]
    many.post("/v1/releases", json={"service": "checkout", "version": "2.0.0"}, headers=OLGA)
    url = first.links["next"]["url"]
    assert url.startswith(f"{BASE}/v1/releases?")
    second = many.get(url.removeprefix(BASE), headers=VERA)
    assert versions(second) == ["1.0.3", "1.0.2", "1.0.1"]
    assert second.links["next"]["url"].count("cursor=") == 1
    third = many.get(second.links["next"]["url"].removeprefix(BASE), headers=VERA)
    assert versions(third) == ["1.0.0"]
    assert "next" not in third.links
    assert third.json()["next"] is None


FOUND: list[tuple[dict[str, Any], list[str]]] = [
    ({"state": "promoted"}, ["1.0.0"]),
    ({"state": "rolled_back", "per_page": 2}, ["1.0.6", "1.0.5"]),
    ({"state": "open"}, []),
    ({"state": ["promoted", "open"]}, ["1.0.0"]),
    ({"version": "1.0.3"}, ["1.0.3"]),
    ({"actor": "olga", "version": "1.0.3"}, ["1.0.3"]),
    ({"actor": "adam"}, []),
    ({"service": "payments"}, []),
    ({"cluster": "other"}, []),
    ({"cluster": "local", "state": "closed", "per_page": 1}, ["1.0.6"]),
    ({"number": 3}, ["1.0.2"]),
    ({"number": 3, "service": "checkout"}, ["1.0.2"]),
    ({"until": "2026-11-24T10:02:11Z"}, []),
    ({"since": "2026-11-24T10:02:11Z", "until": "2026-11-24T12:02:12+02:00"}, ["1.0.0"]),
    ({"until": "9999-12-31T23:59:59-14:00", "since": "0001-01-01T00:00:00+14:00", "per_page": 1}, ["1.0.6"]),
]


def test_filters(many):
    assert [(query, versions(listed(many, **query))) for query, _ in FOUND] == FOUND


@pytest.mark.parametrize(
    ("query", "kind", "status"),
    [
        ({"state": "happy"}, "invalid", 422),
        ({"servce": "checkout"}, "invalid", 422),
        ({"per_page": 0}, "invalid", 422),
        ({"per_page": 201}, "invalid", 422),
        ({"since": "yesterday"}, "invalid", 422),
        ({"since": "2026-11-24T10:02:11"}, "invalid", 422),
        ({"number": 0}, "invalid", 422),
        ({"number": 2**40}, "invalid", 422),
        ({"actor": "a\x00"}, "invalid", 422),
        ({"service": "A B"}, "invalid", 422),
        ({"cursor": "page-2"}, "bad-cursor", 400),
        ({"cursor": "é"}, "bad-cursor", 400),
        ({"cursor": "MTpyZWxfAA"}, "bad-cursor", 400),
    ],
)
def test_filters_that_make_no_sense_are_mistakes_and_not_ignored(http, query, kind, status):
    answer = listed(http, **query)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:delivery:problem:{kind}")


def test_a_release_that_failed_tells_the_whole_story(either, either_world):
    release = begin(either, either_world)
    either_world.fails("1.4.1", 0.01)
    either_world.fails("1.4.2", 0.5)
    either_world.go(60)
    shown = get(either, release)
    assert shown.headers["etag"].strip('"').isdigit()
    story = shown.json()
    assert (story["id"], story["number"], story["service"], story["cluster"]) == (release, 2, "checkout", "local")
    assert (story["from"]["version"], story["to"]["version"]) == ("1.4.1", "1.4.2")
    assert (story["state"], story["cause"]["type"], story["cause"]["gate"]) == ("rolled_back", "gate_failed", "errors")
    assert re.match(r"errors \d+ times stable's \(.* to .*\), \d+ of \d+ against ", story["cause"]["text"])
    assert story["exposure"]["max_percent"] == 5
    assert 0 < story["exposure"]["failed"] < story["exposure"]["requests"]
    assert story["links"]["events"] == f"{BASE}/v1/releases/{release}/events"
    assert story["actions"] == ["retry"]
    first, second = story["stages"]
    assert (first["name"], first["state"]) == ("canary 5%", "failed")
    assert (first["split"]["desired"], first["split"]["confirmed"]) == (5, 5)
    assert first["split"]["observed"] == pytest.approx(5, abs=0.5)
    (gate,) = first["analysis"]
    assert (gate["gate"], gate["verdict"]) == ("errors", "fail")
    assert gate["ratio"] > 1
    assert second["state"] == "not_reached"
    assert story["promotion"]["state"] == "not_reached"


class TestAGateThatStaysUndecided:
    """It says nothing in the history, but people who wait or have to approve must see what it sees."""

    def baking(self, http, world, seconds: int) -> str:
        """Waits for an approval before 50 percent; both versions have the same few errors."""
        world.fails("1.4.1", 0.01)
        world.fails("1.4.2", 0.01)
        release = begin(http, world, GUARDED)
        world.go(seconds)
        return release

    def numbers(self, http, release: str) -> tuple[str, int, int]:
        (gate,) = get(http, release).json()["stages"][0]["analysis"]
        return gate["verdict"], *gate["candidate"]

    def test_its_numbers_are_shown_while_it_bakes(self, either, either_world):
        release = self.baking(either, either_world, 20)
        verdict, _, before = self.numbers(either, release)
        either_world.go(20)
        _, _, after = self.numbers(either, release)
        assert (verdict, 0 < before < after) == ("continue", True)
        told = either.get(f"/v1/releases/{release}/explain", headers=VERA).json()["why"]
        assert any(re.match(r"errors .*\d+ of \d+ against \d+ of \d+", sentence) for sentence in told), told

    def test_they_are_in_the_history_of_a_stage_that_passed(self, either, either_world):
        release = self.baking(either, either_world, 90)
        events = either.get(f"/v1/releases/{release}/events", headers=VERA).json()["events"]
        (passed,) = [one for one in events if one["type"] == "stage_passed"]
        (judgement,) = passed["data"]["judgements"]
        assert judgement["verdict"] == "continue"
        assert judgement["candidate"]["total"] == passed["data"]["requests"]
        assert f" of {judgement['candidate']['total']} against " in passed["text"]
        assert not [one for one in events if one["type"] == "verdict_changed"]

    def test_they_stay_with_a_stage_that_somebody_stopped(self, either, either_world):
        release = self.baking(either, either_world, 20)
        act(either, release, "abort", ADAM)
        either_world.go(10)
        verdict, _, total = self.numbers(either, release)
        assert (verdict, total > 0) == ("continue", True)

    def test_the_next_plan_says_what_it_would_find_at_this_traffic(self, either, either_world):
        self.baking(either, either_world, 90)
        asked = {"service": "checkout", "outlook": True}
        (line,) = either.post("/v1/plan", json=asked, headers=VERA).json()["outlook"]
        assert line.startswith("errors at 100 requests a second with 0.99\u202f% errors would catch a version that is ")

    def test_one_that_cannot_read_its_state_hides_no_release(self, http, world, monkeypatch):
        release = self.baking(http, world, 20)
        monkeypatch.setattr("delivery.gates.comparing.ComparingGate.judge", lambda self, state: state["nonsense"])
        assert get(http, release).json()["stages"][0]["analysis"] == []


def test_events_are_a_chain_that_anybody_can_check(either, either_world):
    release = begin(either, either_world)
    act(either, release, "abort", ADAM, {"reason": "naïve ünïcode"})
    either_world.go(5)
    events = either.get(f"/v1/releases/{release}/events", headers=VERA).json()
    assert events["next"] is None
    assert [one["seq"] for one in events["events"]] == list(range(1, len(events["events"]) + 1))
    prev = GENESIS
    for one in events["events"]:
        body = json.loads(one["body"])
        assert one["said"] == "" or body["said"] == hashlib.sha256(one["said"].encode()).hexdigest()
        assert (body["schema"], body["type"]) == (one["schema"], _camel(one["type"]))
        assert body["data"].items() <= one["data"].items() or one["said"]
        assert one["prev"] == prev
        prev = hashlib.sha256(f"{prev}\n{one['body']}".encode()).hexdigest()
        assert one["hash"] == prev
    assert [one["type"] for one in events["events"]][:2] == ["created", "started"]
    assert "back to stable: aborted by adam: naïve ünïcode" in [one["text"] for one in events["events"]]


def _camel(name):
    return "".join(word.capitalize() for word in name.split("_"))


def test_events_come_in_pieces(http, world):
    release = begin(http, world)
    url = f"/v1/releases/{release}/events"
    whole = http.get(url, headers=VERA).json()["events"]
    pieces: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        piece = http.get(url, params={"after": after, "limit": 2}, headers=VERA).json()
        pieces += piece["events"]
        after = piece["next"]
    assert pieces == whole


def test_analysis_has_every_tick_and_every_verdict(either, either_world):
    release = begin(either, either_world)
    either_world.fails("1.4.1", 0.01)
    either_world.fails("1.4.2", 0.5)
    either_world.go(60)
    url = f"/v1/releases/{release}/analysis"
    analysis = either.get(url, headers=VERA).json()
    numbers = [one["number"] for one in analysis["ticks"]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert sum(one["candidate"]["requests"] for one in analysis["ticks"]) == analysis["candidate"]["requests"]
    assert analysis["candidate"]["errors"] > 0
    assert analysis["verdicts"][-1]["verdict"] == "fail"
    assert analysis["verdicts"][-1]["stage"] == "canary 5% (1/2)"
    piece = either.get(url, params={"limit": 1}, headers=VERA).json()
    assert (len(piece["ticks"]), piece["next"]) == (1, numbers[0])
    rest = either.get(url, params={"after": piece["next"]}, headers=VERA).json()
    assert piece["ticks"] + rest["ticks"] == analysis["ticks"]


def test_explain_says_why_until_when_and_who(http, world):
    release = begin(http, world)
    act(http, release, "pause", ADAM, {"reason": "lunch"})
    http.put("/v1/stop", json={"scope": "cluster:local", "reason": "incident 7"}, headers=OLGA)
    world.go(2)
    said = http.get(f"/v1/releases/{release}/explain", headers=VERA).json()
    assert said["why"][0].startswith("canary 5% (1/2) was entered at 2026-11-24")
    assert "it may not rise: paused by adam: lunch" in said["why"]
    assert any("raises are stopped by olga: incident 7" in one for one in said["why"])
    assert said["until"] > "2026-11-24T10:02:11"
    assert "an operator can lift the stop, or whoever has the routes in hand gives them back" in said["who"]
    assert "an operator can resume it" in said["who"]
    assert said["text"].count(".") > 4


def test_a_release_that_is_not_there_has_nothing(http):
    for part in ("", "/events", "/analysis", "/explain", "/stream"):
        answer = http.get(f"/v1/releases/rel_01JD{part}", headers=VERA)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:delivery:problem:unknown-release")


def test_a_state_that_is_none_is_told_in_plain_words(http):
    answer = http.get("/v1/releases?state=opn", headers=bearer("olga"))
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("state is 'opn'; expected one of open, closed, queued, preparing, ")
    assert "Input" not in answer.text
