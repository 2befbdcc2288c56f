"""Secrets between the service and others are changed while a release is on its way, as the documentation says.

One installation: real processes, a real Envoy with users, and receivers that take what is signed rightly and no more.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier

from delivery.model.ids import SECOND, Micros
from delivery.sandbox.configuration import SOURCE, write_private
from delivery.sources.errors import Unsigned
from delivery.sources.signing import sign, verify
from tests.hook_server import HookServer, hook_server
from tests.oidc import CLIENT, Idp, provider
from tests.receiver import Came, Receiver, Reply, receiver
from tests.slack_server import SlackServer, slack_server
from tests.upgrade.installation import ROOT, Ground, Installation

pytestmark = pytest.mark.timeout(600)
SECURITY = (ROOT / "docs" / "security.md").read_text()
SAID = (
    "the new one beside the old in `secrets`, restart the API, change the sender, take the old one out, restart",
    "the new one beside the old, restart the workers, tell the receiver, take the old one out",
    "a second one there, change `client_secret`, restart the API, take the old one out there",
    "renew at Slack, change the configuration at once, restart",
)
FILE = """\
service: shop
cluster: local
workload: {process: demo, rollback_window: 5s}
tick: 1s
notify: {slack: "#pay"}
hooks:
  smoke: {http: platform, path: /smoke, during: canary 30%, timeout: 5m}
strategies:
  - canary: {steps: [30%], bake: 1s, min_requests: 1, gates: []}
"""
PERSON = {"sub": "s-1", "email": "alice@example.org", "email_verified": True}
COMMAND = {"command": "/delivery", "text": "status shop", "user_id": "U1", "channel_id": "C0002", "trigger_id": "1.2"}
SLACK_FORM = urlencode(COMMAND).encode()


def whsec(name: str) -> str:
    return "whsec_" + b64encode(name.ljust(24, ".").encode()).decode()


OLD, NEW = whsec("the first one"), whsec("the second one")


@dataclass
class Others:
    """Who is on the other side of each secret."""

    hooks: HookServer
    audit: "Signed"
    slack: SlackServer
    idp: Idp


class Signed(Receiver):
    """A subscriber that refuses what its own `secret` has not signed, for good or until its people mend it."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = OLD
        self.taken: list[Came] = []

    def answer(self, came: Came) -> Reply:
        if not fits(came.headers, came.body, self.secret):
            return Reply(401)
        self.taken.append(came)
        return Reply()


def happened(version: str) -> bytes:
    """A version is there."""
    return json.dumps({
        "specversion": "1.0", "id": f"ci-{uuid4().hex}", "source": "https://ci.example.org/shop",
        "type": "delivery.release.requested.v1", "time": datetime.now(UTC).isoformat(),
        "data": {"service": "shop", "version": version, "actor": "alice"},
    }).encode()  # fmt: skip


def fits(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    try:
        verify(headers, body, [secret], Micros(int(time.time() * SECOND)))
    except Unsigned:
        return False
    return True


@dataclass
class Secrets:
    """What our configuration has now."""

    sender: tuple[str, ...] = (OLD,)
    hook: tuple[str, ...] = (OLD,)
    audit: tuple[str, ...] = (OLD,)
    slack: str = "xoxb-old"
    signing: str = "signing-old"
    client: str = "client-old"


@dataclass
class Scene:
    ground: Ground
    others: Others
    it: Installation
    secrets: Secrets = field(default_factory=Secrets)

    def __post_init__(self) -> None:
        self._text = self.it.settings.read_text()
        self.browser = httpx.Client(base_url=self.url, timeout=20)

    @property
    def url(self) -> str:
        return self.it._api._access.url

    def configure(self) -> None:
        others, now = self.others, self.secrets
        tables: dict[str, dict[str, object]] = {
            "hooks.platform": {"url": others.hooks.url, "secrets": now.hook},
            "subscribers.audit": {"kind": "webhook", "url": others.audit.url, "secrets": now.audit},
            "notify.slack": {
                "kind": "slack", "token": now.slack, "signing_secret": now.signing,
                "base_url": f"{others.slack.base}/api/",
            },
            "oidc": {"issuer": others.idp.issuer, "client_id": CLIENT, "client_secret": now.client},
        }  # fmt: skip
        source = self._text.replace(json.dumps([self.ground.keys.secret]), json.dumps(now.sender))
        more = [f"[{name}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in t.items()) for name, t in tables.items()]
        write_private(self.it.settings, "\n".join([source, *more, '[oidc.roles]\nviewer = ["*"]', ""]))

    def restart(self) -> None:
        """The API and the worker, with what the configuration says now."""
        self.configure()
        for name in ("api", "w1"):
            self.it.end(name)
        self.it.start("w1")

    # --- what comes in ---

    def event(self, secret: str, version: str = "1.4.2", body: bytes | None = None) -> httpx.Response:
        """CI's, or this one again."""
        sent = body or happened(version)
        identity = json.loads(sent)["id"]
        headers = sign(secret, identity, int(time.time()), sent)
        headers["content-type"] = "application/cloudevents+json"
        return self.browser.post(f"/v1/webhooks/{SOURCE}", content=sent, headers=headers)

    def command(self, signing: str) -> int:
        now = str(int(time.time()))
        signature = str(SignatureVerifier(signing).generate_signature(timestamp=now, body=SLACK_FORM))
        headers = {"x-slack-request-timestamp": now, "x-slack-signature": signature}
        headers["content-type"] = "application/x-www-form-urlencoded"
        return self.browser.post("/v1/slack/commands", content=SLACK_FORM, headers=headers).status_code

    def signs_in(self) -> int:
        """Somebody without a session goes to the provider and comes back."""
        with httpx.Client(base_url=self.url, timeout=20) as browser:
            away = browser.get("/login/oidc")
            back = httpx.get(away.headers["location"])
            done = browser.get(back.headers["location"])
            if done.status_code == 303:
                self.browser.cookies = browser.cookies
            return done.status_code

    def is_signed_in(self) -> bool:
        return self.browser.get("/v1/releases").status_code == 200

    # --- what goes out ---

    def told(self) -> list[str]:
        return [str(came.json["type"]) for came in self.others.audit.taken]

    def thread(self) -> list[str]:
        """What the release's message and the lines below it say."""
        return [line for message in self.others.slack.channel("#pay") for line in (message.text, *message.thread)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    ground = Ground(tmp_path)
    try:
        with others() as around:
            it = Installation(ground, "one", f"sqlite:///{tmp_path}/delivery.db")
            made = Scene(ground, around, it)
            try:
                made.configure()
                it.migrate()
                it.start("w1")
                it.apply("shop", FILE)
                yield made
            finally:
                made.browser.close()
                it.close()
    finally:
        ground.close()


@contextmanager
def others() -> Iterator[Others]:
    audit = Signed()
    with hook_server(OLD) as hooks, receiver(audit), slack_server() as slack, provider(time.time()) as idp:
        slack.token, idp.secrets, idp.user = "xoxb-old", {"client-old"}, PERSON
        yield Others(hooks, audit, slack, idp)


def test_every_secret_between_us_and_others_is_changed_while_a_release_runs(scene: Scene) -> None:
    """Both count while one replaces the other, so that nothing is lost; then the old one is refused."""
    for said in SAID:
        assert said in SECURITY
    it, others, now = scene.it, scene.others, scene.secrets
    first = scene.event(OLD, "1.4.1").json()["release"]["id"]
    it.comes_to(first, "promoted")
    with scene.ground.users("shop") as loads:
        release = scene.event(OLD).json()["release"]["id"]
        it.until("the hook is asked", lambda: others.hooks.copies)
        assert scene.signs_in() == 303

        # The new ones beside the old. Slack has one of each: those are renewed there, and here at once.
        others.slack.token = "xoxb-new"
        it.say(release, "pause")
        it.say(release, "resume", holds=["pause"])
        it.until("Slack refuses the old token", lambda: others.slack.refused)
        others.idp.secrets.add("client-new")
        now.sender = now.hook = now.audit = (NEW, OLD)
        now.slack, now.signing, now.client = "xoxb-new", "signing-new", "client-new"
        scene.restart()
        assert scene.is_signed_in()

        # The other sides change over.
        event = happened("1.4.2")
        same = scene.event(OLD, body=event)
        assert (same.status_code, scene.event(NEW, body=event).json()) == (202, same.json())
        asked = others.hooks.copies.total()
        it.until("the hook is asked again, by the old one", lambda: others.hooks.copies.total() > asked)
        others.hooks.secret = others.audit.secret = NEW
        asked = others.hooks.copies.total()
        it.until("and by the new one", lambda: others.hooks.copies.total() > asked)
        others.idp.secrets.remove("client-old")
        assert scene.signs_in() == 303
        assert (scene.command("signing-new"), scene.command("signing-old")) == (200, 401)

        # The old ones are taken out.
        now.sender = now.hook = now.audit = (NEW,)
        scene.restart()
        assert scene.event(OLD).status_code == 401
        assert scene.event(NEW).status_code == 202
        others.hooks.otherwise = (200, {}, b"")
        assert it.comes_to(release, "promoted")["state"] == "promoted"
        it.until("the subscriber knows", lambda: scene.told()[-1:] == ["release.promoted"])
        it.until("Slack knows", lambda: any("PROMOTED" in line for line in scene.thread()[-1:]))
    assert not any(fits(came.headers, came.body, OLD) for came in others.audit.came[-1:])
    assert loads[0].counts.failed == {}
    assert any("pause" in line.lower() for line in scene.thread()), "told late, not lost"
    assert it.call("GET", "/v1/outbox")["messages"] == [], "none ended dead"
