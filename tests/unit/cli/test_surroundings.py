"""What is around the command: tokens as files have them, other servers, other folders, proxies, odd terminals."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from delivery.cli import main, profile, session
from delivery.cli.errors import Code
from delivery.sandbox import launch
from tests.serving import serving
from tests.unit.cli.conftest import Shell, mocked

ROOT = Path(main.__file__).parents[2]


@pytest.fixture
def answers(monkeypatch, capsys):
    """A shell whose server answers what it is told."""

    def shell(answer: httpx.Response) -> Shell:
        monkeypatch.setattr(session, "Api", mocked(lambda request: answer))
        return Shell(capsys, httpx.MockTransport(lambda request: answer))

    return shell


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_a_token_may_have_a_line_end_as_files_and_secrets_have(sh, checkout, monkeypatch, end):
    from tests.api.world import secret

    monkeypatch.setenv("DELIVERY_TOKEN", f"{secret('olga')}{end}")
    assert sh("release", "list", who=None).code == 0


@pytest.mark.parametrize("token", ["top\nsecret", "top\x00secret", "top€secret"])
def test_what_cannot_be_a_token_is_told_without_telling_it(capsys, token):
    ran = Shell(capsys, httpx.MockTransport(lambda request: httpx.Response(200)))("release", "list", "--token", token)
    assert ran.code == Code.FAILED
    assert "the token has a character that no token has" in ran.err
    assert "top" not in ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize("body", ["[1]", "null", '"text"', "3", "{}", '{"stops": null}', '{"stops": [{}]}'])
def test_an_answer_of_another_shape_is_told_in_one_sentence(answers, body):
    """Another program at that address, or a server of another version."""
    ran = answers(httpx.Response(200, text=body))("stop", "list")
    assert (ran.code, ran.out) == (Code.FAILED, "")
    assert "is no delivery API, or one of another version" in ran.err
    assert "Traceback" not in ran.err


def test_what_failed_at_an_odd_answer_is_told_since_it_may_be_ours(answers):
    ran = answers(httpx.Response(200, json={"stops": [{"by": "otto"}]}))("stop", "list")
    assert "a fault of the command: KeyError(" in ran.err


def test_a_redirect_says_where_the_api_is(answers):
    ran = answers(httpx.Response(308, headers={"location": "https://delivery.example.org/v1/stop"}))("stop", "list")
    assert ran.code == Code.FAILED
    assert "leads to https://delivery.example.org/v1/stop" in ran.err
    assert "--url" in ran.err


def test_who_has_no_home_has_no_profile(monkeypatch):
    """A user without a name, as containers have them."""
    for name in ("DELIVERY_PROFILE", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    assert profile.find(None, None) == profile.Profile(profile.DEFAULT_URL, None)


def test_the_loopback_address_is_asked_past_every_proxy(monkeypatch, capsys):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"stops": []}')

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with serving(Handler) as port:
        for host in ("127.0.0.1", "localhost"):
            ran = Shell(capsys, httpx.MockTransport(lambda request: httpx.Response(500)))(
                "stop", "list", "--url", f"http://{host}:{port}"
            )
            assert (ran.code, ran.err.strip()) == (0, "nothing is stopped")


@pytest.mark.parametrize("module", ["uvicorn", "workers.main", "delivery.sandbox.demo_service"])
def test_folders_of_whoever_calls_it_are_not_taken_for_ours(tmp_path, module):
    """Many projects have a folder `api`, and some of them people who start this there."""
    for name in ("api", "workers", "delivery", "uvicorn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('somebody else')\n")
    command = launch.module(module, "--help")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "somebody else" in done.stderr) == (0, False), done.stderr


def test_the_api_is_looked_for_beside_this_package_alone(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    (tmp_path / "api" / "main.py").write_text("raise SystemExit('somebody else')\n")
    command = launch.api("127.0.0.1", "0", 1)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DELIVERY_CONFIG": str(tmp_path / "none.toml")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert "there is no such file" in f"{done.stdout}{done.stderr}"


def test_a_terminal_that_has_not_every_character_is_written_to_all_the_same():
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "DELIVERY_URL": "http://127.0.0.1:1/é"}
    command = [sys.executable, "-c", "from delivery.cli.main import main; main()", "stop", "list"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr


def test_a_service_file_that_somebody_has_edited_is_not_written_over(capsys, tmp_path):
    """`adopt` is called again, after what it told was mended."""
    file = tmp_path / "checkout.yaml"
    file.write_text("service: checkout  # mine\n")
    transport = httpx.MockTransport(lambda request: httpx.Response(500))
    shell = Shell(capsys, transport)
    ran = shell("adopt", "deploy/checkout", "-n", "shop", "--write", str(file), who=None)
    assert (ran.code, "is there already" in ran.err) == (1, True)
    assert file.read_text() == "service: checkout  # mine\n"


@pytest.mark.parametrize("made", [False, True])
def test_adopt_without_a_kubeconfig_that_can_be_used_says_how_one_is_named(capsys, tmp_path, monkeypatch, made):
    file = tmp_path / "config"
    if made:
        file.write_text("")
    monkeypatch.setenv("KUBECONFIG", str(file))
    shell = Shell(capsys, httpx.MockTransport(lambda request: httpx.Response(500)))
    ran = shell("adopt", "deploy/checkout", "-n", "shop", who=None)
    assert ran.code == 1
    assert made or ran.err.startswith(f"error: there is no kubeconfig file {file}\n")
    assert "name a kubeconfig file with --kubeconfig or KUBECONFIG" in ran.err
    assert "nothing was changed" in ran.err
