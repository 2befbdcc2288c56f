"""One release through the real processes, moved by people who come by Slack, by the page and by the command.

One table says who they are by every name, so that nobody becomes two people by coming another way.
"""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from delivery.sandbox.demo.api import Access, Api, Json
from delivery.sandbox.environment import Local, Wanted, running
from tests.api.html import Node, read
from tests.slack_server import APP_TOKEN, TOKEN, Message, SlackServer, slack_server

WITHIN = 30.0
CHANNEL = "#checkout-releases"
CAROL = "carol-token-that-nobody-guesses"
FILE = """\
service: checkout
cluster: local
workload: {process: checkout, rollback_window: 5s}
tick: 200ms
strategies:
  - canary:
      steps: [20%, 50%]
      bake: 400ms
      min_requests: 0
      gates: []
      approval: [{before: [begin, 50%]}, {before: promotion, count: 2}]
policy: {approval: {from: sre}}
notify: {slack: "#checkout-releases"}
"""
TABLES = f"""
[notify.slack]
kind = "slack"
token = "{TOKEN}"
app_token = "{APP_TOKEN}"
base_url = "BASE/api/"

[[tokens]]
name = "carol-laptop"
principal = "carol"
role = "approver"
groups = ["sre"]
sha256 = "{sha256(CAROL.encode()).hexdigest()}"
""" + "".join(
    f"""
[[people]]
principal = "{name}"
role = "operator"
groups = ["sre"]
slack = ["U{name.upper()}"]
logins = ["{name}-acme"]
"""
    for name in ("alice", "bob", "carol")
)
"""Alice is in the group too: what keeps her from approving is that she started it."""
NOT_ALICE = "alice started this release; somebody else must approve it"


def until(found: Callable[[], Any], what: str) -> Any:
    """What there is to find, once it is there."""
    end = time.monotonic() + WITHIN
    while not (value := found()):
        assert time.monotonic() < end, f"there was no {what}"
        time.sleep(0.02)
    return value


class Slack:
    """People before their Slack: they see one message, press its buttons, and send the dialog off."""

    def __init__(self, server: SlackServer) -> None:
        self.server = server
        self._count = 0

    def message(self, version: str) -> Message | None:
        return next((one for one in self.server.channel(CHANNEL) if f"-> {version}" in _text(one)), None)

    def button(self, version: str, step: str) -> Json:
        """The button that approves a step, once the message has it."""

        def shown() -> Json | None:
            message = self.message(version)
            asked = message is not None and f"{step} needs" in _text(message)
            return message.buttons().get("approve") if message and asked else None

        found: Json = until(shown, f"button for {step}")
        return found

    def press(self, person: str, button: Json, reason: str) -> str:
        """Why it was refused; empty where it was taken."""
        dialogs = len(self.server.views)
        action = {"type": "button", "action_id": "approve", "value": button["value"]}
        click = {"type": "block_actions", "trigger_id": f"t{self._count}", "actions": [action]}
        self._push(person, {**click, "channel": {"id": "C0001"}})
        view = until(lambda: self.server.views[dialogs:], "dialog")[0]
        values = {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}
        shown = {"id": f"V{dialogs + 1}", "private_metadata": view["private_metadata"], "state": {"values": values}}
        answer = self._push(person, {"type": "view_submission", "view": shown})
        return str(answer["errors"]["reason"]) if answer else ""

    def _push(self, person: str, payload: Json) -> Json | None:
        self._count += 1
        envelope = f"e{self._count}"
        self.server.push("interactive", {**payload, "user": {"id": f"U{person.upper()}"}}, envelope)
        until(lambda: envelope in self.server.acknowledged, "answer to Slack")
        return self.server.acknowledged[envelope]


def _text(message: Message) -> str:
    return str(message.blocks[0]["text"]["text"]).replace("\u202f", "").replace("&gt;", ">")


class Page:
    """Somebody's browser, signed in with their token."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"origin": url}, timeout=WITHIN)
        assert self._http.post("/login", data={"token": token}).status_code == 303

    def open(self, release: str) -> Node:
        return read(self._http.get(f"/releases/{release}").text)

    def approve(self, release: str, reason: str) -> str:
        """What the page says where it sends the form off; a page without this form says why there is none."""
        page = self.open(release)
        form = next((one for one in page.all("form") if one.get("action").endswith("/approve")), None)
        if form is None:
            return next(one for one in page.all("dl") if one.get("class") == "barred").text
        fields = {one["name"]: one.get("value") for one in form.all("input")}
        answer = self._http.post(form["action"], data={**fields, "reason": reason})
        return read(self._http.get(answer.headers["location"]).text).one("main").text

    def close(self) -> None:
        self._http.close()


def command(local: Local, token: str, *words: str) -> tuple[int, str]:
    """`delivery ...`: its exit code and all that it says."""
    code = "import sys; from delivery.cli.main import run; sys.exit(run(sys.argv[1:]))"
    env = {**os.environ, "DELIVERY_URL": local.api_url, "DELIVERY_TOKEN": token}
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], env=env, capture_output=True, text=True, timeout=WITHIN, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def asked_before(step: str, api: Json) -> bool:
    return any(hold["kind"] == "approval" and hold["detail"].startswith(step) for hold in api["holds"])


class Play:
    def __init__(self, local: Local, server: SlackServer) -> None:
        self.local = local
        self.slack = Slack(server)
        self.tokens = {**local.keys.tokens, "carol": CAROL}
        self.http = httpx.Client(
            base_url=local.api_url, headers={"authorization": f"Bearer {self.tokens['bob']}"}, timeout=WITHIN
        )
        self.release = ""

    def shown(self) -> Json:
        found: Json = self.http.get(f"/v1/releases/{self.release}").json()
        return found

    def waits_for(self, step: str) -> None:
        until(lambda: asked_before(step, self.shown()), f"wait before {step}")

    def history(self) -> list[tuple[str, str]]:
        """What people said: when, and the sentence."""
        events = self.http.get(f"/v1/releases/{self.release}/events?limit=500").json()["events"]
        return [(one["at"], one["text"]) for one in events if one["type"] == "approved"]

    def alice_is_refused(self, button: Json) -> None:
        """Who started it, in each of the three ways."""
        assert self.slack.press("alice", button, "mine") == NOT_ALICE
        page = Page(self.local.api_url, self.tokens["alice"])
        assert NOT_ALICE.lower() in page.approve(self.release, "mine").lower()
        page.close()
        code, said = command(self.local, self.tokens["alice"], "release", "approve", self.release, "-m", "mine")
        assert (code, NOT_ALICE in said) == (1, True), said
        assert self.history() == []

    def play(self) -> None:
        """Begun by bob in Slack, raised by carol on the page, promoted by bob's command and carol's Slack."""
        first = self.slack.button("1.4.2", "canary 20% (1/2)")
        self.alice_is_refused(first)
        assert self.slack.press("bob", first, "go ahead") == ""

        self.waits_for("canary 50%")
        late = self.slack.press("carol", first, "me too")
        assert late == "the release has moved on since you saw it: look again, then decide"
        page = Page(self.local.api_url, CAROL)
        assert "Your approval is recorded." in page.approve(self.release, "numbers are good")

        self.waits_for("100 %")
        token = self.tokens["bob"]
        code, said = command(self.local, token, "release", "approve", self.release, "-m", "to everybody")
        assert code == 0, said
        last = self.slack.button("1.4.2", "100%")
        assert self.slack.press("bob", last, "twice") == "bob approved already; it takes 2 different people"
        assert "bob approved already" not in page.open(self.release).text, "carol is asked, and she may"
        page.close()
        assert self.slack.press("carol", last, "me too") == ""
        until(lambda: self.shown()["state"] == "promoted", "promotion")
        assert "it is over (promoted)" in self.slack.press("carol", last, "late")
        until(lambda: "PROMOTED" in _text(self.slack.message("1.4.2") or Message("", "", [])), "last word in Slack")

    def checks(self) -> None:
        told = self.history()
        assert [re.sub(r"\d+/\d+", "n/m", text.replace("\u202f", " ")) for _, text in told] == [
            "bob approved canary 20% (n/m) (by slack): go ahead",
            "carol approved canary 50% (n/m) (by page): numbers are good",
            "bob approved 100 % (by cli bob): to everybody",
            "carol approved 100 % (by slack): me too",
        ]
        assert [at for at, _ in told] == sorted(at for at, _ in told)
        (message,) = (one for one in self.slack.server.channel(CHANNEL) if "-> 1.4.2" in _text(one))

        def approved() -> int:
            return sum("approved" in line for line in message.thread)

        until(lambda: approved() >= 4, "word of each approval in the thread")
        assert approved() == 4, "each once, whatever way they came"


@pytest.mark.timeout(180)
def test_one_release_moved_by_people_who_come_three_ways(tmp_path: Path) -> None:
    async def play() -> None:
        with slack_server() as server:
            wanted = Wanted(tmp_path, tables=TABLES.replace("BASE", server.base))
            async with running(wanted, lambda line: None) as local:
                keys = local.keys
                api = Api(Access(local.api_url, local.proxy_url, keys.tokens, local.source, keys.secret))
                try:
                    await api.apply("checkout", FILE, "alice")
                    first = await api.deliver("checkout", "1.4.1", "alice-acme")
                    async with asyncio.timeout(WITHIN):
                        [now async for now, _ in api.follow(str(first["release"]["id"]), "alice")]
                    acted = Play(local, server)
                    answer = await api.deliver("checkout", "1.4.2", "alice-acme")
                    acted.release = str(answer["release"]["id"])
                    await asyncio.to_thread(acted.play)
                    await asyncio.to_thread(acted.checks)
                    acted.http.close()
                finally:
                    await api.aclose()

    asyncio.run(play())
