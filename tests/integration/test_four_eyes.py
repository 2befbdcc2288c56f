"""Four eyes in a race: two replicas of the API over one database, people at Slack and at the API at the same moment."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from slack_sdk.signature import SignatureVerifier

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.machine.evolve import fold
from delivery.model.event import Approved, Event, Phase, RollbackBegun, StageEntered
from delivery.model.hold import HoldKind
from delivery.model.ids import ReleaseId
from delivery.model.release import Release
from delivery.sources.buttons import Button, seal
from delivery.wiring import SlackApp
from tests.api.world import SERVICE, ManualClock, World, bearer

ROUNDS = 6
SIGNING, TOKEN = "8f742231b10e8888abcd99yyyzzz85a5", "xoxb-test"
CANARY = {"steps": ["5%", "50%"], "bake": "10s", "gates": [], "min_requests": 0}


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


@dataclass
class Race:
    """`slack` and `api` are the replicas; every round has a service of its own that waits for its approval."""

    world: World
    slack: TestClient
    api: TestClient
    waiting: list[ReleaseId]

    def release(self, release: ReleaseId) -> Release:
        stored = self.world.ledger.release(release)
        assert stored is not None
        return stored.release

    def events(self, release: ReleaseId) -> list[Event]:
        return [stored.event for stored in self.world.ledger.events(release)]

    def decide(self, action: str, user: str, release: ReleaseId) -> bool:
        """The dialog of a Slack button, sent off; whether it was taken."""
        shown = self.release(release)
        sealed = seal(TOKEN, Button(action, release, shown.stage + 1, shown.dseq))
        view = {"id": f"V{user}{release}", "private_metadata": sealed, "state": {"values": {}}}
        payload = {"type": "view_submission", "user": {"id": user}, "view": view}
        body, at = urlencode({"payload": json.dumps(payload)}), str(int(time.time()))
        signature = SignatureVerifier(SIGNING).generate_signature(timestamp=at, body=body)
        headers = {"X-Slack-Signature": signature or "", "X-Slack-Request-Timestamp": at}
        answer = self.slack.post("/v1/slack/interactions", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.content == b""

    def act(self, action: str, person: str, release: ReleaseId) -> bool:
        """The same over the API; whether it was taken."""
        answer = self.api.post(f"/v1/releases/{release}/{action}", json={"reason": "race"}, headers=bearer(person))
        assert answer.status_code in (200, 202, 409), answer.text
        return answer.status_code != 409

    def supersede(self, release: ReleaseId) -> bool:
        service = self.release(release).target.partition("@")[0]
        body = {"service": service, "version": "1.2", "urgent": True}
        answer = self.api.post("/v1/releases", json=body, headers=bearer("olga"))
        assert answer.status_code in (200, 201), answer.text
        return answer.status_code == 201


def raced(*runners: Any) -> list[bool]:
    """All of them at once."""
    barrier = Barrier(len(runners))

    def run(runner: Any) -> bool:
        barrier.wait(30)
        taken: bool = runner()
        return taken

    with ThreadPoolExecutor(len(runners)) as pool:
        return [future.result(60) for future in [pool.submit(run, runner) for runner in runners]]


def race(url: str, count: int, stack: ExitStack) -> Race:
    upgrade(url)
    clock = ManualClock()
    app = SlackApp(TOKEN, SIGNING, "", "http://127.0.0.1:9/api/")
    worlds = [World(SqlLedger(url, fold=fold), clock, slack=app) for _ in range(2)]
    for world in worlds:
        stack.callback(world.ledger.close)
    slack, api = (stack.enter_context(TestClient(world.app)) for world in worlds)
    canary = {"canary": {**CANARY, "approval": {"before": "50%", "from": "sre", "count": count}}}
    for number in range(ROUNDS):
        name = f"svc-{number}"
        document = {**SERVICE, "service": name, "strategies": [canary]}
        assert api.put(f"/v1/services/{name}", json=document, headers=bearer("olga")).status_code == 201
    waiting: list[ReleaseId] = []
    for version in ("1.0", "1.1"):
        bodies = [{"service": f"svc-{number}", "version": version} for number in range(ROUNDS)]
        started = [api.post("/v1/releases", json=body, headers=bearer("olga")) for body in bodies]
        waiting = [ReleaseId(answer.json()["release"]["id"]) for answer in started]
        worlds[0].go(25)
    found = Race(worlds[0], slack, api, waiting)
    assert all(found.release(one).held(HoldKind.APPROVAL) for one in waiting)
    return found


def kinds(events: list[Event], kind: type[Event]) -> list[int]:
    return [place for place, event in enumerate(events) if isinstance(event, kind)]


def test_one_person_at_once_through_slack_and_the_api_is_one_vote(url: str) -> None:
    with ExitStack() as stack:
        it = race(url, 2, stack)
        for release in it.waiting:
            taken = raced(
                lambda one=release: it.decide("approve", "UADAM", one),
                lambda one=release: it.act("approve", "adam", one),
            )
            assert sorted(taken) == [False, True]
            assert len(kinds(it.events(release), Approved)) == 1
            assert it.release(release).stage == 0
        for release in it.waiting:
            assert not it.act("approve", "adam", release), "nor is it a second vote later"


def test_two_people_at_once_are_two_votes_and_one_raise(url: str) -> None:
    with ExitStack() as stack:
        it = race(url, 2, stack)
        for release in it.waiting:
            taken = raced(
                lambda one=release: it.decide("approve", "UADAM", one),
                lambda one=release: it.act("approve", "root", one),
            )
            assert taken == [True, True]
            votes = [event.actor for event in it.events(release) if isinstance(event, Approved)]
            assert sorted(votes) == ["adam", "root"]
            assert len(kinds(it.events(release), StageEntered)) == 2
            assert it.release(release).stage == 1


def test_where_one_is_enough_the_second_is_told_so(url: str) -> None:
    with ExitStack() as stack:
        it = race(url, 1, stack)
        for release in it.waiting:
            taken = raced(
                lambda one=release: it.decide("approve", "UADAM", one),
                lambda one=release: it.act("approve", "root", one),
            )
            assert sorted(taken) == [False, True]
            assert len(kinds(it.events(release), Approved)) == 1


@pytest.mark.parametrize("other", ["abort", "supersede"])
def test_an_approval_that_races_a_way_back_never_raises_after_it(url: str, other: str) -> None:
    with ExitStack() as stack:
        it = race(url, 1, stack)
        for release in it.waiting:
            back = {
                "abort": lambda one=release: it.act("abort", "adam", one),
                "supersede": lambda one=release: it.supersede(one),
            }
            _, went = raced(lambda one=release: it.decide("approve", "UADAM", one), back[other])
            assert went
            events = it.events(release)
            (begun,) = kinds(events, RollbackBegun)
            assert all(place < begun for place in (*kinds(events, Approved), *kinds(events, StageEntered)))
            assert it.release(release).phase is Phase.ROLLING_BACK
        it.world.go(10)
        for release in it.waiting:
            assert it.release(release).phase.closed
            assert len(kinds(it.events(release), RollbackBegun)) == 1
