"""Channels by Apprise, over the real library: a webhook and e-mail, on real sockets."""

import socketserver
import threading
from collections.abc import Iterator

import pytest

from delivery.adapters.chat.apprise import AppriseChat
from delivery.model import event as events
from delivery.model.event import Cause, CauseKind, Event, Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import MINUTE, Micros
from delivery.model.message import Message
from delivery.ports.chat import Post
from delivery.ports.errors import Refused, Unavailable
from tests.receiver import LIMIT, Receiver, Reply, receiver
from tests.unit.wording.builders import NOW, release

BASE = "https://delivery.example.org"
AT = Micros(NOW + 9 * MINUTE)
ENDED = events.Closed(at=AT, phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.ABORTED, reason="odd"))
HELD = events.HoldPlaced(at=AT, hold=Hold(HoldKind.APPROVAL, AT))


class Place:
    known: str | None = None

    def note(self, at: str) -> None:
        raise AssertionError("nothing is edited later")


def post(event: Event, topic: str, *, call: bool = False, to: str = "checkout") -> Post:
    shown = release()
    return Post(to, Message(shown.id, 7, topic, event, call), shown, "checkout", ("approve",), "@oncall")


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        found.usual = Reply(200)
        yield found


@pytest.fixture
def chat(there: Receiver) -> AppriseChat:
    return AppriseChat(BASE, {"checkout": there.url.replace("http://", "json://")})


def test_an_end_is_told_in_words_with_a_link_and_without_buttons(there: Receiver, chat: AppriseChat) -> None:
    chat.deliver(post(ENDED, "closed"), Place())
    (came,) = there.came
    assert "checkout 1.4.1 -> 1.4.2" in came.json["title"]
    assert "ROLLED BACK" in came.json["message"]
    assert f"{BASE}/releases/{release().id}" in came.json["message"]
    assert "approve" not in came.body.decode().lower()


def test_who_is_needed_is_called(there: Receiver, chat: AppriseChat) -> None:
    chat.deliver(post(HELD, "hold_placed", call=True), Place())
    assert there.came[0].json["title"].startswith("Needed: ")
    assert there.came[0].json["message"].startswith("@oncall\n")
    assert there.came[0].json["type"] == "warning"


def test_what_would_be_noise_is_not_told(there: Receiver, chat: AppriseChat) -> None:
    chat.deliver(post(HELD, "hold_placed"), Place())
    chat.deliver(post(ENDED, "traffic_confirmed"), Place())
    assert there.came == []


def test_a_channel_that_the_configuration_does_not_have_is_refused_by_name(chat: AppriseChat) -> None:
    with pytest.raises(Refused, match="no channel cart there; it has: checkout"):
        chat.deliver(post(ENDED, "closed", to="cart"), Place())


def test_trouble_is_tried_again_and_a_redirect_is_trouble(there: Receiver, chat: AppriseChat) -> None:
    with receiver() as elsewhere:
        for reply in (Reply(500), Reply(429), Reply(302, {"location": elsewhere.url})):
            there.replies.append(reply)
            with pytest.raises(Unavailable, match="did not take it"):
                chat.deliver(post(ENDED, "closed"), Place())
        assert elsewhere.came == []
    with receiver() as gone:
        url = gone.url
    with pytest.raises(Unavailable):
        AppriseChat(BASE, {"checkout": url.replace("http://", "json://")}).deliver(post(ENDED, "closed"), Place())


def test_an_address_that_nobody_knows_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ValueError, match=r"channels\.checkout is no address"):
        AppriseChat(BASE, {"checkout": "nosuch://x"})


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as it takes."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())  # type: ignore[attr-defined]
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


def test_e_mail_goes_out() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        server.mails = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            port = server.server_address[1]
            url = f"mailto://127.0.0.1:{port}/?from=delivery@example.org&to=team@example.org&mode=insecure"
            AppriseChat(BASE, {"checkout": url}).deliver(post(ENDED, "closed"), Place())
        finally:
            server.shutdown()
            thread.join(LIMIT)
        (mail,) = server.mails  # type: ignore[attr-defined]
    assert "team@example.org" in mail
    assert "checkout 1.4.1 -> 1.4.2" in mail.replace("=\r\n", "").replace("=3E", ">")
