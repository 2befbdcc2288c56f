"""A body's limits, where a test client would hide them: what is read, and when reading ends."""

import asyncio

import pytest

from api import limits
from api.limits import BodyLimit
from api.problems import Problem


async def nothing(message):
    """Nothing is sent here."""


def scope(*headers):
    return {"type": "http", "method": "POST", "headers": list(headers)}


def run(receive, *headers, most=10):
    """What the app behind the limit read."""
    read = []

    async def app(scope, receive, send):
        read.append(await receive())

    asyncio.run(BodyLimit(app, most)(scope(*headers), receive, nothing))
    return read[0]["body"]


def chunks(*parts):
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting[-1]["more_body"] = False

    async def receive():
        return waiting.pop(0)

    return receive


def test_pieces_are_handed_on_as_one():
    assert run(chunks(b"abc", b"", b"def")) == b"abcdef"


def test_what_is_announced_too_large_is_not_read_at_all():
    async def receive():
        raise AssertionError("it was read")

    with pytest.raises(Problem, match="at most 10 bytes") as refused:
        run(receive, (b"content-length", b"11"))
    assert refused.value.kind == "too-large"


def test_reading_ends_with_the_piece_that_is_too_much():
    async def endless():
        return {"type": "http.request", "body": b"xxxx", "more_body": True}

    with pytest.raises(Problem, match="at most 10 bytes"):
        run(endless)


def test_a_sender_that_goes_away_is_no_fault():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(Problem) as refused:
        run(receive)
    assert refused.value.kind == "malformed"


def test_a_body_that_never_ends_coming(monkeypatch):
    monkeypatch.setattr(limits, "IN_TIME", 0.01)

    async def receive():
        await asyncio.Event().wait()

    with pytest.raises(Problem) as refused:
        run(receive)
    assert refused.value.kind == "too-slow"


def test_a_look_has_no_body_to_wait_for():
    async def receive():
        raise AssertionError("it was read")

    async def app(scope, receive, send):
        pass

    asyncio.run(BodyLimit(app)({"type": "http", "method": "GET", "headers": []}, receive, nothing))
