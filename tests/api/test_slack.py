"""Words from Slack: believed by signature or socket, judged by the same rules, stored before they are answered."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest
from fastapi.testclient import TestClient
from slack_sdk.signature import SignatureVerifier

from delivery.adapters.chat.slack import blocks
from delivery.adapters.chat.slack.adapter import SlackChat
from delivery.adapters.ledger.memory import MemoryLedger
from delivery.adapters.telemetry.memory import MemoryTelemetry
from delivery.engine.outbox import Outbox, Receivers
from delivery.machine.announce import announce
from delivery.machine.evolve import evolve, fold
from delivery.model.event import Approved
from delivery.model.ids import ReleaseId, target_id
from delivery.model.release import Release
from delivery.ports.chat import Post
from delivery.ports.rows import OutboxState
from delivery.wiring import SlackApp
from tests.api.world import SERVICE, ManualClock, World, bearer
from tests.slack_server import APP_TOKEN, LIMIT, TOKEN, Failure, Message, SlackServer, slack_server

SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
CHANNEL = "#checkout-releases"
GUARDED = {
    **SERVICE,
    "notify": {"slack": CHANNEL, "mention": "U0042"},
    "strategies": [
        {
            "canary": {
                "steps": ["5%", "50%"],
                "bake": "1m",
                "gates": [],
                "min_requests": 0,
                "approval": {"before": "50%", "from": "sre"},
            }
        }
    ],
}


class Chatting:
    """The API, its workers and a Slack, with clicks as people make them."""

    def __init__(self, slack: SlackServer, *, app_token: str = "") -> None:
        clock = ManualClock()
        app = SlackApp(TOKEN, "" if app_token else SIGNING, app_token, f"{slack.base}/api/")
        self.slack = slack
        self.world = World(MemoryLedger(clock, fold), clock, slack=app)
        chat = SlackChat(TOKEN, TOKEN, app.base_url, monotonic=clock.monotonic)
        world = self.world
        telemetry = MemoryTelemetry()
        chats = {"slack": chat}
        self.outbox = Outbox(
            world.ledger, world.ledger, Receivers(chats), world.services.book, clock, telemetry, "outbox"
        )
        self.clicks = 0

    @contextmanager
    def serving(self) -> Iterator["Chatting"]:
        with TestClient(self.world.app) as self.http:
            path = "/v1/services/checkout"
            answer = self.http.put(path, json=GUARDED, headers=bearer("olga"))
            assert answer.status_code == 201, answer.text
            yield self

    def release(self, version: str, by: str = "olga") -> str:
        body = {"service": "checkout", "version": version}
        return self.http.post("/v1/releases", json=body, headers=bearer(by)).json()["release"]["id"]

    def state(self, release: str) -> str:
        return self.http.get(f"/v1/releases/{release}", headers=bearer("vera")).json()["state"]

    def go(self, seconds: int) -> None:
        for _ in range(seconds):
            self.world.go(1)
            self.outbox.run()

    def waiting(self) -> str:
        """A second version that waits for its approval; its release."""
        self.release("1.0")
        self.go(20)
        release = self.release("1.1")
        self.go(80)
        return release

    @property
    def message(self) -> Message:
        return self.slack.channel(CHANNEL)[-1]

    def post(self, path: str, form: dict[str, str], *, secret: str = SIGNING, age: int = 0):
        body, at = urlencode(form), str(int(time.time()) - age)
        signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
        headers = {"X-Slack-Signature": signature or "", "X-Slack-Request-Timestamp": at}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.http.post(f"/v1/slack/{path}", content=body, headers=headers)

    def interact(self, payload: dict, **signing):
        return self.post("interactions", {"payload": json.dumps(payload)}, **signing)

    def click(self, action: str, user: str, button: dict | None = None) -> dict:
        self.clicks += 1
        pressed = button or self.message.buttons()[action]
        return {
            "type": "block_actions",
            "user": {"id": user},
            "channel": {"id": "C0001"},
            "trigger_id": f"t{self.clicks}",
            "actions": [{"type": "button", "action_id": action, "value": pressed["value"]}],
        }

    def sent_off(self, user: str, reason: str | None = None) -> dict:
        """The dialog that was opened last, sent off."""
        view = self.slack.views[-1]
        values = {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}
        shown = {"id": f"V{len(self.slack.views)}", "private_metadata": view["private_metadata"]}
        return {"type": "view_submission", "user": {"id": user}, "view": {**shown, "state": {"values": values}}}

    def decide(self, action: str, user: str, reason: str | None = None):
        assert self.interact(self.click(action, user)).status_code == 200
        return self.interact(self.sent_off(user, reason))

    def command(self, text: str, user: str = "UOLGA"):
        self.clicks += 1
        form = {"user_id": user, "text": text, "trigger_id": f"t{self.clicks}", "command": "/delivery"}
        return self.post("commands", form).json()["text"]


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def chatting(slack: SlackServer) -> Iterator[Chatting]:
    with Chatting(slack).serving() as it:
        yield it


def test_an_approval_by_button_lets_the_next_step_in_and_is_recorded(chatting: Chatting) -> None:
    release = chatting.waiting()
    assert "needs 1 of sre, not olga" in chatting.message.blocks[0]["text"]["text"]
    answer = chatting.decide("approve", "UADAM", "looks fine")
    assert (answer.status_code, answer.content) == (200, b"")
    chatting.go(80)
    assert chatting.state(release) == "promoted"
    events = chatting.http.get(f"/v1/releases/{release}/events", headers=bearer("vera")).json()["events"]
    (approved,) = [event["data"] for event in events if event["type"] == "approved"]
    assert (approved["actor"], approved["via"], approved["reason"]) == ("adam", "slack", "looks fine")
    assert list(chatting.message.buttons()) == ["rollback"]


def test_the_dialog_says_what_will_happen_to_what(chatting: Chatting) -> None:
    chatting.waiting()
    chatting.interact(chatting.click("abort", "UADAM"))
    view = chatting.slack.views[-1]
    assert "checkout 1.0 -> 1.1" in view["blocks"][0]["text"]["text"]
    assert "Everybody goes back to stable, now." in view["blocks"][0]["text"]["text"]
    assert view["blocks"][1]["optional"]


def test_nobody_approves_what_they_started_by_button_neither(chatting: Chatting) -> None:
    release = chatting.waiting()
    answer = chatting.decide("approve", "UOLGA")
    assert "olga" in answer.json()["errors"]["reason"]
    assert chatting.state(release) == "progressing"


def test_a_late_click_misses(chatting: Chatting) -> None:
    release = chatting.waiting()
    old = chatting.message.buttons()["approve"]
    chatting.decide("approve", "UADAM")
    chatting.go(2)
    chatting.interact(chatting.click("abort", "UADAM", old | {"action_id": "approve"}))
    answer = chatting.interact(chatting.sent_off("UADAM"))
    assert answer.json()["response_action"] == "errors"
    assert chatting.state(release) == "progressing"


def test_the_same_decision_twice_is_one(chatting: Chatting) -> None:
    release = chatting.waiting()
    chatting.interact(chatting.click("abort", "UADAM"))
    sent = chatting.sent_off("UADAM", "odd errors")
    answers = [chatting.interact(sent) for _ in range(3)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 3
    chatting.go(5)
    assert chatting.state(release) == "rolled_back"
    events = chatting.http.get(f"/v1/releases/{release}/events", headers=bearer("vera")).json()["events"]
    assert sum(event["type"] == "rollback_begun" for event in events) == 1


@pytest.mark.parametrize(
    ("action", "user", "said"),
    [
        ("abort", "UNOBODY", 'slack = ["UNOBODY"]'),
        ("abort", "UVERA", "needs the role approver; vera has the role viewer"),
    ],
)
def test_who_may_not_is_told_alone_and_at_once(chatting: Chatting, action: str, user: str, said: str) -> None:
    chatting.waiting()
    assert chatting.interact(chatting.click(action, user)).status_code == 200
    assert chatting.slack.views == []
    assert said in chatting.slack.whispers[-1]


def test_a_button_that_we_did_not_make_does_nothing(chatting: Chatting) -> None:
    release = chatting.waiting()
    forged = {"value": chatting.message.buttons()["pause"]["value"].replace("pause", "abort")}
    assert chatting.interact(chatting.click("abort", "UADAM", forged)).status_code == 200
    assert chatting.slack.views == []
    assert "not made by this server" in chatting.slack.whispers[-1]
    assert chatting.state(release) == "progressing"


def test_what_slack_did_not_sign_is_refused_before_it_is_read(chatting: Chatting) -> None:
    chatting.waiting()
    payload = chatting.click("abort", "UADAM")
    for wrong in ({"secret": "another"}, {"age": 301}, {"age": -400}):
        answer = chatting.interact(payload, **wrong)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:delivery:problem:unsigned")
    assert chatting.http.post("/v1/slack/commands", content=b"user_id=UADAM").status_code == 401
    assert chatting.slack.views == []


def test_a_time_that_only_looks_like_digits_is_no_signature(chatting: Chatting) -> None:
    headers = {b"X-Slack-Signature": b"v0=0", b"X-Slack-Request-Timestamp": "\u00b2".encode("latin-1")}

    async def posted() -> httpx.Response:
        over = httpx.ASGITransport(app=chatting.world.app)  # sends the bytes of a header as they are
        async with httpx.AsyncClient(transport=over, base_url="http://testserver") as http:
            return await http.post("/v1/slack/commands", content=b"user_id=UADAM", headers=headers)

    answer = asyncio.run(posted())
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:delivery:problem:unsigned")


def test_a_refused_decision_can_be_sent_off_again_with_what_was_missing(chatting: Chatting) -> None:
    """The dialog stays open where it was refused, and Slack then sends the same view again."""
    release = chatting.waiting()
    freeze = {"cron": "* * * * *", "tz": "UTC", "for": "24h"}
    frozen = {**GUARDED, "policy": {"freeze": [freeze]}}
    assert chatting.http.put("/v1/services/checkout", json=frozen, headers=bearer("olga")).status_code == 200
    chatting.go(3)
    chatting.interact(chatting.click("resume", "UOTTO"))
    refused = chatting.interact(chatting.sent_off("UOTTO"))
    assert "reason" in refused.json()["errors"]["reason"]
    answer = chatting.interact(chatting.sent_off("UOTTO", "the fix for incident 7"))
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    assert chatting.state(release) == "progressing"


def test_signed_nonsense_is_a_clear_error(chatting: Chatting) -> None:
    for form in ({"payload": "{"}, {"payload": "[]"}, {"payload": '{"type": "block_actions"}'}, {}):
        answer = chatting.post("interactions", form)
        assert answer.status_code == 400, form
        assert answer.json()["type"].endswith("malformed")
    assert chatting.post("commands", {"text": "status"}).status_code == 400
    assert chatting.post("interactions", {"payload": '{"type": "shortcut"}'}).status_code == 200


def test_commands_say_and_do_the_same(chatting: Chatting) -> None:
    assert "status SERVICE" in chatting.command("")
    assert "status SERVICE" in chatting.command("explode checkout")
    assert chatting.command("status checkout") == "there is no release of checkout"
    assert chatting.command("start checkout 1.0") == "checkout: it started"
    chatting.go(20)
    assert "nobody here is known" in chatting.command("start checkout 1.1", "UNOBODY")
    chatting.command("start checkout 1.1")
    chatting.go(80)
    assert "It waits for an approval" in chatting.command("status checkout", "UVERA")
    assert "olga" in chatting.command("approve checkout")
    assert "operator" in chatting.command("start checkout 1.2", "UADAM")
    assert chatting.command("abort checkout@local not today", "UADAM")
    chatting.go(5)
    assert "rolled back" in chatting.command("status checkout")
    assert chatting.command("abort checkout", "UADAM") == "no release of checkout is open"


def test_a_start_is_told_of_the_clusters_that_turn_it_away(chatting: Chatting) -> None:
    everywhere = {**SERVICE, "cluster": ["local", "other"], "on_new_version": "reject"}
    assert chatting.http.put("/v1/services/checkout", json=everywhere, headers=bearer("olga")).status_code == 200
    chatting.command("start checkout@other 1.0")
    first, other = chatting.command("start checkout 1.1").splitlines()
    assert first == "checkout: it started"
    assert other.startswith("checkout@other: another release runs")


def test_a_chat_that_is_away_for_a_whole_release_has_all_of_it_afterwards(chatting: Chatting) -> None:
    chatting.slack.away = True
    chatting.release("1.0")
    chatting.go(20)
    chatting.release("1.1")
    chatting.go(80)
    assert chatting.slack.channel(CHANNEL) == []
    traffic = chatting.world.mesh.traffic(target_id("checkout", "local"))
    assert traffic is not None
    assert traffic.weight == 5
    chatting.slack.away = False
    chatting.go(150)
    first, second = chatting.slack.channel(CHANNEL)
    assert "promoted" in first.text
    assert "needs 1 of sre" in second.blocks[0]["text"]["text"]
    assert len(second.thread) == len(set(second.thread)) >= 2
    assert chatting.world.ledger.outbox(OutboxState.WAITING, 10) == ()
    assert chatting.world.ledger.outbox(OutboxState.DEAD, 10) == ()


def test_a_dialog_that_slack_does_not_open_loses_nothing(chatting: Chatting) -> None:
    release = chatting.waiting()
    chatting.slack.failures.append(Failure(status=500, error="fatal_error"))
    assert chatting.interact(chatting.click("abort", "UADAM")).status_code == 200
    assert chatting.state(release) == "progressing"
    chatting.decide("abort", "UADAM")
    assert chatting.state(release) == "rolling_back"


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def a_click_takes_it_back(slack: SlackServer, chatting: Chatting) -> None:
    """Over the socket: the button, and the dialog that it opens."""
    release = chatting.waiting()
    slack.push("interactive", chatting.click("abort", "UADAM"), "e1")
    until(lambda: "e1" in slack.acknowledged and slack.views)
    slack.push("interactive", chatting.sent_off("UADAM", "odd"), "e2")
    until(lambda: "e2" in slack.acknowledged)
    assert chatting.state(release) == "rolling_back"


def test_socket_mode_needs_no_address_of_ours_and_comes_back(slack: SlackServer) -> None:
    with Chatting(slack, app_token=APP_TOKEN).serving() as chatting:
        until(lambda: slack.sockets)
        a_click_takes_it_back(slack, chatting)
        slack.hang_up()
        until(lambda: slack.sockets)
        words = {"user_id": "UVERA", "text": "status checkout", "trigger_id": "t", "command": "/delivery"}
        slack.push("slash_commands", words, "e3")
        until(lambda: "e3" in slack.acknowledged)
        assert "checkout 1.0 -> 1.1" in (slack.acknowledged["e3"] or {})["text"]
        assert chatting.post("commands", words).status_code == 404


def test_a_hold_is_lifted_from_slack_by_its_name_and_by_who_must_agree(slack: SlackServer) -> None:
    with Chatting(slack).serving() as chatting:
        guarded = {**GUARDED, "policy": {"override": {"from": "sre"}}}
        chatting.http.put("/v1/services/checkout", json=guarded, headers=bearer("olga"))
        release = chatting.waiting()
        chatting.http.post(f"/v1/releases/{release}/pause", json={"reason": "lunch"}, headers=bearer("otto"))
        chatting.go(3)
        assert "to lift pause needs 1 of sre, not olga" in chatting.message.blocks[0]["text"]["text"]
        chatting.interact(chatting.click("resume", "UROOT"))
        assert "Lifts pause." in slack.views[-1]["blocks"][0]["text"]["text"]
        assert "olga" in chatting.decide("resume", "UOLGA").json()["errors"]["reason"]
        assert chatting.decide("resume", "UROOT", "lunch is over").content == b""
        events = chatting.http.get(f"/v1/releases/{release}/events", headers=bearer("vera")).json()["events"]
        said = [one["data"] for one in events if one["type"] in ("override_approved", "hold_lifted")][-2:]
        assert [(one.get("actor") or one["by"], one["via"], one["reason"]) for one in said] == [
            ("root", "slack", "lunch is over")
        ] * 2


def test_a_command_lifts_what_it_names(chatting: Chatting) -> None:
    release = chatting.waiting()
    chatting.command("pause checkout lunch", "UADAM")
    assert "it is not held by freeze" in chatting.command("resume checkout freeze now", "UOTTO")
    assert "progressing" in chatting.state(release)
    chatting.command("resume checkout back again", "UOTTO")
    events = chatting.http.get(f"/v1/releases/{release}/events", headers=bearer("vera")).json()["events"]
    (lifted,) = [one["data"] for one in events if one["type"] == "hold_lifted"]
    assert (lifted["kind"], lifted["by"], lifted["reason"], lifted["via"]) == ("pause", "otto", "back again", "slack")


def lines_of(chatting: Chatting, release: str) -> list[str]:
    """What there was to say of a release, a line for each message, the one that began it first."""
    lines: list[str] = []
    before: Release | None = None
    for stored in chatting.world.ledger.events(ReleaseId(release)):
        event = stored.event
        after = evolve(before, event)
        told = (Post(CHANNEL, one, after, "checkout", mention="U0042") for one in announce(before, event, after))
        lines += map(blocks.line, told)
        before = after
    return lines


def test_a_whole_release_while_slack_is_down_is_told_once_and_waited_for_by_nobody(chatting: Chatting) -> None:
    slack, target = chatting.slack, target_id("checkout", "local")
    first = chatting.release("1.0")
    chatting.go(20)
    slack.away = True
    asked = len(slack.calls)
    second = chatting.release("1.1")
    for _ in range(200):
        chatting.go(1)
        if "approve" in chatting.http.get(f"/v1/releases/{second}", headers=bearer("vera")).json()["actions"]:
            break
    chatting.http.post(f"/v1/releases/{second}/approve", json={"reason": "by the API"}, headers=bearer("adam"))
    chatting.go(150)
    assert chatting.state(second) == "promoted", "decided, approved and over without Slack"
    traffic = chatting.world.mesh.traffic(target)
    assert traffic is not None
    assert traffic.weight == 100
    assert len(slack.calls) - asked < 20, "one that is away is asked by and by"
    assert len(slack.channel(CHANNEL)) == 1

    slack.away = False
    slack.failures += [Failure(status=429, error="ratelimited", retry_after=3)] * 2
    chatting.go(200)
    messages = slack.channel(CHANNEL)
    assert sorted(messages[0].thread) == sorted(lines_of(chatting, first)[1:]), "its beginning is the message itself"
    told = lines_of(chatting, second)
    assert sorted(messages[1].thread) in (sorted(told), sorted(told[1:])), "nothing is lost, nothing told twice"
    assert ["promoted" in one.text for one in messages] == [True, True]
    assert list(messages[1].buttons()) == ["rollback"]
    for left in (OutboxState.WAITING, OutboxState.DEAD):
        assert chatting.world.ledger.outbox(left, 9) == ()


def test_a_click_that_slack_sends_again_over_the_socket_is_one_decision(slack: SlackServer) -> None:
    with Chatting(slack, app_token=APP_TOKEN).serving() as chatting:
        until(lambda: slack.sockets)
        release = chatting.waiting()
        slack.push("interactive", chatting.click("approve", "UADAM"), "e1")
        until(lambda: "e1" in slack.acknowledged and slack.views)
        sent = chatting.sent_off("UADAM", "fine")
        for envelope in ("e2", "e3", "e4"):
            slack.push("interactive", sent, envelope)
        until(lambda: {"e2", "e3", "e4"} <= set(slack.acknowledged))
        assert [slack.acknowledged[one] for one in ("e2", "e3", "e4")] == [None] * 3
        events = [stored.event for stored in chatting.world.ledger.events(ReleaseId(release))]
        assert sum(isinstance(event, Approved) for event in events) == 1


def test_a_click_on_a_release_that_is_over_says_so(chatting: Chatting) -> None:
    release = chatting.waiting()
    old = chatting.message.buttons()["abort"]
    chatting.decide("abort", "UADAM")
    chatting.go(5)
    chatting.interact(chatting.click("abort", "UADAM", old))
    answer = chatting.interact(chatting.sent_off("UADAM", "late"))
    assert "it is over (rolled_back)" in answer.json()["errors"]["reason"]
    assert chatting.state(release) == "rolled_back"


def test_an_app_token_is_replaced_by_a_restart(slack: SlackServer) -> None:
    """Slack lets nobody in any more with the old one; what is clicked once the new one is there counts."""
    with Chatting(slack, app_token=APP_TOKEN).serving():
        until(lambda: slack.sockets)
        slack.app_token = "xapp-new"
        slack.hang_up()
        until(lambda: slack.refused and not slack.sockets)
    with Chatting(slack, app_token="xapp-new").serving() as chatting:
        until(lambda: slack.sockets)
        a_click_takes_it_back(slack, chatting)
