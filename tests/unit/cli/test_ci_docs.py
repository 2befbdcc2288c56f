"""docs/ci.md: its snippets are YAML, and the command in each does what the page says. Run as CI runs it: by a shell."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.model.ids import Micros
from delivery.sources.argocd import ArgoCD
from tests.receiver import Reply, receiver

DOCS = Path(__file__).parents[3] / "docs"
SNIPPETS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", (DOCS / "ci.md").read_text(), re.DOTALL)]
GITHUB, GITLAB, ARGOCD = SNIPPETS


def words(script: str, environ: dict[str, str]) -> list[str]:
    """What a shell makes of a line, with `delivery` standing for itself."""
    told = f"delivery() {{ printf '%s\\n' \"$@\"; }}\n{script}"
    env = {"PATH": "/usr/bin:/bin", **environ}
    ran = subprocess.run(["sh", "-euc", told], env=env, capture_output=True, text=True, timeout=30, check=True)
    return ran.stdout.splitlines()


@pytest.fixture
def passing(checkout, monkeypatch):
    monkeypatch.setattr("delivery.cli.watch.rest", lambda seconds: checkout.go(20))
    return checkout


def test_github_actions(sh, passing, monkeypatch, tmp_path):
    job = GITHUB["jobs"]["release"]
    assert job["permissions"] == {"id-token": "write"}
    (step,) = job["steps"]
    digest = "sha256:" + "9f" * 32
    given = {"DELIVERY_URL": job["env"]["DELIVERY_URL"], "IMAGE": f"ghcr.io/acme/checkout@{digest}"}
    line = words(step["run"], {**given, "GITHUB_REF_NAME": "v1.4.2"})
    assert line[:4] == ["ci", "release", "checkout", "1.4.2"]
    page = tmp_path / "summary"
    told = {
        "ACTIONS": "true",
        "STEP_SUMMARY": str(page),
        "SHA": "4be1d0c",
        "RUN_ID": "912",
        "REPOSITORY": "acme/checkout",
    }
    for name, value in {**told, "SERVER_URL": "https://github.example"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    with receiver() as issuer:
        issuer.usual = Reply(200, {}, b'{"value": "token-of-olga"}')
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{issuer.url}?v=1")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret")
        ran = sh(*line, "-o", "json", who=None)
    assert ran.code == 0, ran.err
    (release,) = json.loads(ran.out)
    assert (release["state"], release["to"]["image"]) == ("promoted", given["IMAGE"])
    assert release["origin"]["commit"] == "4be1d0c"
    assert release["links"]["run"] == "https://github.example/acme/checkout/actions/runs/912"
    assert "promoted" in page.read_text()


def test_gitlab_ci(sh, passing, monkeypatch, tmp_path):
    job: dict[str, Any] = GITLAB["release"]
    assert list(job["id_tokens"]) == ["DELIVERY_TOKEN"], "the variable that the command reads"
    (script,) = job["script"]
    line = words(script, {"CI_COMMIT_TAG": "v1.4.2"})
    assert set(job["artifacts"]["paths"]) | {job["artifacts"]["reports"]["annotations"]} <= set(line)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI_COMMIT_SHA", "4be1d0c")
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example/acme/checkout/-/jobs/77")
    ran = sh(*line, "-o", "json")
    assert ran.code == 0, ran.err
    (release,) = json.loads(ran.out)
    assert release["links"]["run"].endswith("/-/jobs/77")
    assert json.loads((tmp_path / "annotations.json").read_text())["Releases"]
    assert "promoted" in (tmp_path / "release.md").read_text()


def test_argo_cd(sh, passing):
    """The body that its template makes is one that the source takes."""
    assert ARGOCD["triggers"] == [{"source": "argocd", "event": "deployed", "where": {"application": "checkout"}}]
    text = (DOCS / "events.md").read_text().partition("## From Argo CD")[2]
    config = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])["data"]
    template = yaml.safe_load(config["template.delivery"])["webhook"]["delivery"]
    assert yaml.safe_load(config["trigger.delivery"])[0]["send"] == ["delivery"]
    values = iter(("checkout", "argocd", "2026-11-24T10:02:11Z", "4be1d0c", "Alice <alice@example.org>"))
    body = re.sub(r"\{\{.*?\}\}", lambda _: json.dumps(next(values)), template["body"]).encode()
    headers = {"authorization": "Bearer a-token-of-argo-cd"}
    source = ArgoCD("argocd", ["bearer a-token-of-argo-cd"])
    notice = source.receive(headers, body, Micros(1_795_514_531_000_000))
    assert json.loads(body)["application"] in str(notice.says)


def test_the_command_at_the_top(sh, passing):
    shown = re.search(r"```sh\n(delivery .*?)\n", (DOCS / "ci.md").read_text())
    assert shown is not None
    line = shlex.split(shown[1].replace("sha256:...", "sha256:" + "9f" * 32))[1:]
    assert sh(*line).code == 0
