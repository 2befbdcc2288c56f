"""What a pipeline relies on: exit codes, and plain lines that say why."""

import json
import signal

import httpx
import pytest

from delivery.adapters.metrics.memory import Behaviour
from delivery.cli.errors import Code, CommandError
from delivery.cli.job_token import JobToken
from delivery.cli.pipeline import End, Pipeline
from tests.api.world import SECRET
from tests.receiver import Reply, receiver
from tests.unit.cli.conftest import SERVICE


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


COMMANDS = (("release", "start"), ("ci", "release"), ("ci", "release", "--wait"))


def asked(sh, command, version):
    group, name, *options = command
    return sh(group, name, "checkout", version, *options)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_version_that_is_turned_away_while_another_release_runs_is_1(sh, passing, tmp_path, command):
    (tmp_path / "rejects.yaml").write_text(f"{SERVICE}on_new_version: reject\n")
    assert sh("services", "apply", "-f", str(tmp_path / "rejects.yaml")).code == 0
    sh("release", "start", "checkout", "1.4.2")
    ran = asked(sh, command, "1.4.3")
    assert (ran.code, ran.out) == (Code.FAILED, "")
    assert "another release runs, and the service says to reject new versions meanwhile" in ran.err
    assert "nothing was queued" in ran.err


@pytest.fixture
def everywhere(sh, passing, tmp_path):
    """The service in two clusters, where new versions are turned away while a release runs."""
    text = SERVICE.replace("cluster: local", "cluster: [local, other]")
    (tmp_path / "everywhere.yaml").write_text(f"{text}on_new_version: reject\n")
    assert sh("services", "apply", "-f", str(tmp_path / "everywhere.yaml")).code == 0
    passing.load("checkout@other")
    return passing


@pytest.mark.parametrize("command", COMMANDS)
def test_a_version_that_one_of_the_clusters_turns_away_is_1_and_goes_on_in_the_other(sh, everywhere, command):
    assert sh("release", "start", "checkout", "1.4.2", "--cluster", "other").code == Code.OK
    ran = asked(sh, command, "1.4.3")
    assert ran.code == Code.FAILED
    assert "checkout@other: another release runs, and the service says to reject new versions meanwhile" in ran.err
    assert "nothing was queued" in ran.err.splitlines()[-1]
    (started,) = json.loads(sh("release", "list", "--version", "1.4.3", "-o", "json").out)
    assert started["cluster"] == "local"
    assert (started["state"] == "promoted") == ("--wait" in command)


def test_an_event_is_told_of_the_clusters_that_turn_it_away(sh, everywhere, monkeypatch):
    monkeypatch.setattr("time.time", lambda: everywhere.clock.now() / 1e6)
    assert sh("release", "start", "checkout", "1.4.2", "--cluster", "other").code == Code.OK
    ran = sh("webhook", "send", "checkout", "1.4.3", "--actor", "alice", "--secret", SECRET, who=None)
    assert ran.code == Code.OK, "the server has it"
    first, other = ran.out.splitlines()
    assert "rel_" in first
    assert other.startswith("checkout@other: another release runs")


def test_what_runs_in_one_of_the_clusters_already_is_waited_for_too(sh, everywhere):
    assert sh("release", "start", "checkout", "1.4.2", "--cluster", "other").code == Code.OK
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.OK, ran.err
    assert "checkout@local/2 promoted" in ran.err
    assert "checkout@other/1 promoted" in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_version_that_is_being_rolled_back_is_1(sh, passing, command):
    sh("release", "start", "checkout", "1.4.2")
    passing.go(10)
    sh("release", "promote", "2")
    passing.go(10)
    sh("release", "rollback", "2", "-m", "wrong price")
    ran = asked(sh, command, "1.4.2")
    assert (ran.code, "is rolling it back" in ran.err) == (Code.FAILED, True)


@pytest.mark.parametrize("version", ["1.4.1", "1.4.2"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_version_that_is_stable_or_on_its_way_is_0(sh, passing, command, version):
    sh("release", "start", "checkout", "1.4.2")
    assert asked(sh, command, version).code == Code.OK


def test_without_wait_too_a_version_that_came_to_a_bad_end_is_1(sh, passing):
    sh("release", "start", "checkout", "1.4.2")
    sh("release", "abort", "2")
    passing.go(10)
    ran = sh("ci", "release", "checkout", "1.4.2")
    assert (ran.code, "retry" in ran.err) == (Code.FAILED, True)


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


@pytest.fixture
def github(monkeypatch, tmp_path):
    """The surroundings of a job of GitHub Actions."""
    files = {name: tmp_path / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    for name, path in files.items():
        path.touch()
        monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return files


def test_github_shows_how_it_ended_and_why(sh, passing, github):
    passing.metrics.behave("checkout_1-4-2", Behaviour(error_rate=0.5))
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", "-o", "json")
    (release,) = json.loads(ran.out)
    (line,) = [line for line in ran.err.splitlines() if line.startswith("::")]
    assert line.startswith("::error title=checkout@local/2::rolled back: errors ")
    assert line.endswith(release["links"]["html"])
    page = github["GITHUB_STEP_SUMMARY"].read_text()
    assert page.startswith("### [checkout@local/2](https://delivery.example.org/releases/")
    assert "1.4.1 → 1.4.2: rolled back" in page
    assert "| canary 5% | failed | errors " in page
    outputs = dict(line.split("=", 1) for line in github["GITHUB_OUTPUT"].read_text().splitlines())
    assert outputs == {"release": release["id"], "state": "rolled_back", "url": release["links"]["html"]}


def test_github_is_told_of_a_promotion_and_of_a_mistake_too(sh, passing, github):
    assert "::notice title=checkout@local/2::promoted" in sh("ci", "release", "checkout", "1.4.2", "--wait").err
    assert "::error title=delivery::" in sh("ci", "release", "nosuch", "1.4.2", "--wait").err


def test_text_of_others_makes_no_command_of_githubs(capsys):
    release = {"id": "rel_1", "service": "a,b", "cluster": "c:d", "number": 1, "links": {"self": "u"}}
    release |= {"state": "rolled_back", "to": {"version": "1"}, "stages": []}
    end = End(release, Code.WENT_BACK, "100%\n::set-output name=x::y\r")
    Pipeline({}).ended([end])
    assert capsys.readouterr().err == ""
    Pipeline({"GITHUB_ACTIONS": "true"}).ended([end])
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "::error title=a%2Cb@c%3Ad/1::100%25%0A::set-output name=x::y%0D u"


def test_elsewhere_a_page_and_gitlabs_report_where_they_are_asked_for(sh, passing, tmp_path):
    page, report = tmp_path / "page.md", tmp_path / "report.json"
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", "--summary", str(page), "--annotations", str(report))
    assert ran.code == 0
    assert "::" not in ran.err
    assert "promoted" in page.read_text()
    (link,) = json.loads(report.read_text())["Releases"]
    assert link["external_link"]["label"].startswith("checkout@local/2: promoted")
    assert link["external_link"]["url"].startswith("https://delivery.example.org/releases/")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_somebody_in_between_who_says_that_nobody_answers_is_borne(sh, passing, transport, monkeypatch, status):
    troubles, handle = {"POST": 2, "GET": 3}, transport.handle_request

    def in_between(request: httpx.Request) -> httpx.Response:
        if troubles[request.method]:
            troubles[request.method] -= 1
            return httpx.Response(status, text="Bad Gateway")
        return handle(request)

    monkeypatch.setattr(transport, "handle_request", in_between)
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert ran.code == Code.OK, ran.err
    assert len(json.loads(sh("release", "list", "-o", "json").out)) == 2


def test_a_server_that_stays_away_ends_it_with_1(sh, passing, transport, monkeypatch):
    away = iter([False, False, False])

    def before(request: httpx.Request) -> None:
        if next(away, True):
            raise httpx.ConnectError("connection refused")

    transport.before = before
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", "--unreachable", "1ms")
    assert ran.code == Code.FAILED
    assert "the server is away" in ran.err or "does not answer" in ran.err
    transport.before = lambda request: None
    assert len(json.loads(sh("release", "list", "-o", "json").out)) == 2, "the release goes on"


def test_a_log_that_was_silent_for_long_says_where_it_stands(sh, checkout, monkeypatch):
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: checkout.go(1))
    monkeypatch.setattr("delivery.cli.ci.QUIET", 0.0)
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait")
    assert "progressing · canary 5% · [#.........] 5 % confirmed" in ran.out


@pytest.mark.parametrize(("options", "state"), [((), "progressing"), (("--abort-on-cancel",), "rolling_back")])
def test_a_job_that_is_cancelled_leaves_its_release_unless_told_otherwise(sh, checkout, monkeypatch, options, state):
    turns = iter(range(100))

    def cancelled(seconds: float) -> None:
        checkout.go(3)
        if next(turns) == 3:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("delivery.cli.watch.rest", cancelled)
    before = signal.getsignal(signal.SIGTERM)
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", *options)
    assert ran.code == Code.INTERRUPTED
    assert "the job was cancelled" in ran.err
    assert json.loads(sh("release", "show", "2", "-o", "json").out)["state"] == state
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_proves_itself_by_its_own_token_and_asks_for_a_new_one_in_time():
    now, seen = [0.0], []
    with receiver() as issuer:
        issuer.usual = Reply(200, {"content-type": "application/json"}, b'{"value": "e.y.J"}')
        environ = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.url}?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret"}
        token = JobToken(environ, "https://delivery.example.org", lambda: now[0])

        def api(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["authorization"])
            return httpx.Response(200, json={})

        with httpx.Client(transport=httpx.MockTransport(api), auth=token) as http:
            for now[0] in (0.0, 100.0, 130.0):
                http.get("https://delivery.example.org/v1/releases")
        assert seen == ["Bearer e.y.J"] * 3
        assert [one.headers["authorization"] for one in issuer.came] == ["Bearer s3cret"] * 2
        assert "audience=https%3A%2F%2Fdelivery.example.org" in issuer.came[0].path
        issuer.usual = Reply(500)
        now[0] = 999.0
        with httpx.Client(transport=httpx.MockTransport(api), auth=token) as http, pytest.raises(httpx.TransportError):
            http.get("https://delivery.example.org/v1/releases")
    with pytest.raises(CommandError, match="cannot prove itself"):
        JobToken({}, "x")


def test_a_jobs_own_token_aborts_nothing_and_that_is_said_before_it_starts(sh, checkout):
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", "--oidc", "x", "--abort-on-cancel")
    assert (ran.code, "may only start releases" in ran.err) == (Code.USAGE, True)
    assert len(json.loads(sh("release", "list", "-o", "json").out)) == 1


def test_a_page_that_cannot_be_written_changes_nothing_of_how_the_release_ended(sh, passing, tmp_path):
    for option in ("--summary", "--annotations"):
        version = f"1.4.{len(option)}"
        ran = sh("ci", "release", "checkout", version, "--wait", option, str(tmp_path / "no" / "file"))
        assert ran.code == 0, ran.err
        assert "cannot be written: No such file or directory" in ran.err


def test_a_job_that_is_cancelled_while_it_asks_says_that_a_release_may_have_begun(sh, checkout, monkeypatch):
    """The answer never came: nothing is known that could be aborted."""

    def away(request: httpx.Request) -> None:
        raise httpx.ReadTimeout("slow", request=request)

    monkeypatch.setattr(sh.transport, "before", away)
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: signal.raise_signal(signal.SIGTERM))
    ran = sh("ci", "release", "checkout", "1.4.2", "--wait", "--abort-on-cancel")
    assert ran.code == Code.INTERRUPTED
    assert "`delivery release list --service checkout` shows whether it began" in ran.err
