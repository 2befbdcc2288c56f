import base64
import threading

import pytest

from delivery.adapters.metrics.prometheus.server import Access, Server
from delivery.ports.errors import Unavailable
from tests.unit.metrics.answers import answering, row, vector


@pytest.fixture
def answers():
    with answering() as answers:
        yield answers


@pytest.fixture
def asked_by(answers):
    servers = []

    def make(**options):
        servers.append(Server(answers.url, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_a_query_travels_in_the_body_with_its_time_limit(answers, asked_by):
    answers.reply = lambda *_: (200, vector(row("1", a="b")))
    assert asked_by(seconds=3).query("up" * 50_000) == [{"metric": {"a": "b"}, "value": [1000.0, "1"]}]
    assert answers.asked[0].path == "/api/v1/query"
    assert answers.asked[0].form == {"query": "up" * 50_000, "timeout": "3000ms"}


def test_access_is_a_token_or_a_name_and_a_password(answers, asked_by, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    asked_by().query("up")
    asked_by(access=Access(token="s3cret")).query("up")
    asked_by(access=Access(username="ann", password="pw")).query("up")
    basic = base64.b64encode(b"ann:pw").decode()
    assert [one.headers.get("authorization") for one in answers.asked] == [None, "Bearer s3cret", f"Basic {basic}"]


def test_secrets_are_not_shown():
    assert "s3cret" not in repr(Access(token="s3cret", username="ann", password="s3cret"))


@pytest.mark.parametrize(
    ("url", "access"),
    [
        ("prometheus:9090", Access()),
        ("http://ann:pw@prometheus", Access()),
        ("http://prometheus?x=1", Access()),
        ("http://prometheus", Access(token="a", username="b")),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(url, access):
    with pytest.raises(ValueError):
        Server(url, access)


@pytest.mark.parametrize(
    ("status", "document", "says"),
    [
        (401, {}, r"refuses us \(401\): is it the right token"),
        (403, "no", r"refuses us \(403\)"),
        (400, {"status": "error", "error": "parse error: x"}, "refuses the query: parse error: x"),
        (422, {"status": "error", "error": "too many samples"}, "refuses the query: too many samples"),
        (503, "Service Unavailable", "does not answer: 503"),
        (200, {"status": "error"}, "this is no Prometheus"),
        (200, "<html>", "this is no Prometheus"),
        (200, vector(row("1"), warnings=["store 10.0.0.1 is away"]), "only in part: store 10.0.0.1 is away"),
        (200, {"status": "success", "data": {}}, "does not answer"),
    ],
)
def test_an_answer_that_is_none_says_why(answers, asked_by, status, document, says):
    answers.reply = lambda *_: (status, document)
    with pytest.raises(Unavailable, match=rf"Prometheus at {answers.url} .*{says}"):
        asked_by().query("up")


def test_a_redirect_is_not_followed_with_our_token(answers, asked_by):
    def reply(asked, handler):
        handler.send_response(302)
        handler.send_header("location", "http://elsewhere.example")
        handler.send_header("content-length", "0")
        handler.end_headers()

    answers.reply = reply
    with pytest.raises(Unavailable, match=r"redirects to http://elsewhere\.example"):
        asked_by(access=Access(token="s3cret")).query("up")
    assert len(answers.asked) == 1


def test_an_answer_that_trickles_ends_at_the_limit(answers, asked_by):
    done = threading.Event()

    def reply(asked, handler):
        handler.send_response(200)
        handler.send_header("content-length", "1000000")
        handler.end_headers()
        try:
            while not done.wait(0.05):
                handler.wfile.write(b" " * 70_000)
        except OSError:
            return

    answers.reply = reply
    with pytest.raises(Unavailable, match="takes too long"):
        asked_by(seconds=0.3).query("up")
    done.set()


def test_an_answer_without_end_is_cut(answers, asked_by, monkeypatch):
    monkeypatch.setattr("delivery.adapters.metrics.prometheus.server.LARGEST", 1000)
    answers.reply = lambda *_: (200, vector(*(row("1", a=str(number)) for number in range(1000))))
    with pytest.raises(Unavailable, match="answers with more than"):
        asked_by().query("up")


def test_a_server_that_fails_is_left_alone_and_then_tried_once(answers, asked_by):
    now = [0.0]
    server = asked_by(monotonic=lambda: now[0])
    answers.reply = lambda *_: (503, "starting")
    for _ in range(3):
        with pytest.raises(Unavailable, match="503"):
            server.query("up")
    with pytest.raises(Unavailable, match=r"failed 3 times and is left alone for a moment: 503"):
        server.query("up")
    assert len(answers.asked) == 3
    now[0] = 15.1
    with pytest.raises(Unavailable, match="503"):
        server.query("up")
    with pytest.raises(Unavailable, match="left alone"):
        server.query("up")
    assert len(answers.asked) == 4
    now[0] = 31.0
    answers.reply = lambda *_: (200, vector())
    server.query("up")
    answers.reply = lambda *_: (503, "starting")
    with pytest.raises(Unavailable, match="503"):
        server.query("up")


def test_a_query_that_is_refused_opens_no_breaker(answers, asked_by):
    server = asked_by()
    answers.reply = lambda *_: (400, {"status": "error", "error": "parse error"})
    for _ in range(5):
        with pytest.raises(Unavailable, match="parse error"):
            server.query("up")
    assert len(answers.asked) == 5


def test_nobody_there_is_said_in_one_line():
    with answering() as gone:
        pass
    with pytest.raises(Unavailable, match=r"does not answer: .*refused") as told:
        Server(gone.url).query("up")
    assert "\n" not in str(told.value)


def test_a_file_of_authorities_that_is_not_there_is_an_answer_that_cannot_be_had(tmp_path):
    """It may be mounted a moment later, or have been renamed: the client library tells it as no error of its own."""
    server = Server("https://127.0.0.1:9", Access(ca=str(tmp_path / "ca.pem")))
    with pytest.raises(Unavailable, match=r"ca\.pem"):
        server.query("up")
    server.close()
