"""What a pipeline relies on: exit codes, and plain lines that say why."""

import json

import httpx
import pytest

from delivery.adapters.metrics.memory import Behaviour
from delivery.cli.errors import Code


@pytest.fixture
def passing(checkout, monkeypatch):
    """Time passes while the command waits."""
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: checkout.go(20))
    return checkout


def test_promoted_is_0(sh, passing):
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.OK
    assert "#2  " in ran.out
    assert "checkout@local/2 promoted" in ran.err


def test_rolled_back_is_2_and_says_why(sh, passing):
    passing.metrics.behave("checkout_1-4-2", Behaviour(error_rate=0.5))
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.WENT_BACK
    assert "checkout@local/2 rolled back: errors" in ran.err


def test_a_release_that_needs_a_person_is_3_and_goes_on(sh, passing, tmp_path):
    (tmp_path / "asks.yaml").write_text(ASKS)
    assert sh("services", "apply", "-f", str(tmp_path / "asks.yaml")).code == 0
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.NEEDS_PERSON
    assert "needs a person" in ran.err
    assert "delivery release explain checkout@local/2" in ran.err
    assert json.loads(sh("release", "show", "2", "-o", "json").out)["finished_at"] is None


def test_the_timeout_is_3(sh, checkout, monkeypatch):
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: None)
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", "--timeout", "1ms")
    assert ran.code == Code.NEEDS_PERSON
    assert "the time to wait is" in ran.err
    assert sh("ci", "release", "checkout", "1.4.2", "--timeout", "soon").code == Code.USAGE


def test_without_wait_it_only_starts(sh, checkout):
    ran = sh("ci", "release", "checkout", "1.4.2", "-o", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["outcome"] == "release"


def test_the_stable_version_again_is_0(sh, passing):
    assert sh("ci", "release", "checkout", "1.4.1", "--wait").code == Code.OK


def test_the_same_version_again_waits_for_the_release_that_has_it(sh, passing):
    sh("release", "start", "checkout", "1.4.2")
    assert sh("ci", "release", "checkout", "1.4.2", "--wait").code == Code.OK


def test_a_version_that_came_to_a_bad_end_is_not_started_again(sh, passing):
    sh("release", "start", "checkout", "1.4.2")
    sh("release", "abort", "2")
    passing.go(10)
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.FAILED
    assert "retry" in ran.err


def test_a_server_that_is_started_anew_is_waited_for(sh, passing, transport):
    fails = iter([False, True, True, False])

    def away(request: httpx.Request) -> None:
        if request.method == "GET" and next(fails, False):
            raise httpx.ConnectError("connection refused")

    transport.before = away
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.OK
    assert ran.out.count("trying again") == 2


def test_a_lost_answer_does_not_start_a_second_release(sh, passing, transport, monkeypatch):
    lost = [True]
    handle = transport.handle_request

    def losing(request: httpx.Request) -> httpx.Response:
        answer = handle(request)
        if request.method == "POST" and lost:
            lost.pop()
            raise httpx.ReadError("connection reset")
        return answer

    monkeypatch.setattr(transport, "handle_request", losing)
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.OK
    sent = [request for request in transport.sent if request.method == "POST" and request.url.path == "/v1/releases"]
    assert len({request.headers["idempotency-key"] for request in sent[-2:]}) == 1
    assert len(json.loads(sh("release", "list", "-o", "json").out)) == 2


def test_an_api_that_is_not_there_is_not_asked_twice(sh, checkout, transport):
    def away(request: httpx.Request) -> None:
        raise httpx.ConnectError("connection refused")

    transport.before, before = away, len(transport.sent)
    ran = sh("release", "start", "checkout", "1.4.2")
    assert (ran.code, len(transport.sent) - before) == (Code.FAILED, 1)
    assert "does not answer: connection refused" in ran.err


def test_interrupted_is_130(sh, checkout, monkeypatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("delivery.cli.watch.rest", interrupt)
    assert sh("ci", "release", "checkout", "1.4.2", "--wait").code == Code.INTERRUPTED


ASKS = """\
service: checkout
cluster: local
workload: {process: checkout}
tick: 10s
strategies:
  - canary: {steps: [5%, 50%], bake: 1m, gates: [errors], approval: {before: 50%, from: sre}}
gates:
  errors: {ratio: http_errors, worse_than: 1.1, min_requests: 50}
"""
