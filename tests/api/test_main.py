"""The application of a server, made from a configuration file alone."""

import json
import os
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import main
from delivery.adapters.ledger.sql import upgrade
from delivery.registry import UnknownName
from delivery.settings import load
from tests.api.world import SERVICE, bearer, event, secret, signed
from tests.api.world import settings as sample


def configuration(url: str, **sources: object) -> str:
    """The sample settings as a file."""
    token = next(token for token in sample().tokens if token.principal == "olga")
    memory = '{kind = "memory"}'
    lines = [
        "[database]", f"url = {json.dumps(url)}",
        "[clusters.local]", f"mesh = {memory}", f"workloads = {memory}", f"metrics = {memory}",
        "[processes.checkout]", 'command = ["checkout"]',
        "[sources.ci]", *(f"{key} = {json.dumps(value)}" for key, value in sources.items()),
        "[[tokens]]", f'name = "{token.name}"', 'principal = "olga"', 'role = "operator"', f'sha256 = "{token.sha256}"',
    ]  # fmt: skip
    return "\n".join(lines)


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Writes the configuration and points the environment at it."""

    def write(**sources: object) -> None:
        url = f"sqlite:///{tmp_path}/delivery.db"
        upgrade(url)
        (tmp_path / "delivery.toml").write_text(configuration(url, **sources))
        monkeypatch.setenv("DELIVERY_CONFIG", str(tmp_path / "delivery.toml"))

    return write


def test_a_configured_server_takes_events_and_shows_the_metrics_of_its_engine(configured):
    from time import time_ns

    from delivery.model.ids import Micros

    configured(dialect="cloudevents", secrets=list(sample().sources["ci"].secrets))
    now = Micros(time_ns() // 1000)
    with TestClient(main.of(load(os.environ))) as http:
        assert http.put("/v1/services/checkout", json=SERVICE, headers=bearer("olga")).status_code == 201
        headers, body = signed(event(), at=now)
        assert http.post("/v1/webhooks/ci", content=body, headers=headers).json()["outcome"] == "release"
        metrics = http.get("/metrics").text
    assert 'delivery_admissions_total{outcome="release"' in metrics
    assert "delivery_ledger_up 1.0" in metrics


MONITORING = Path(__file__).parents[2] / "deploy" / "chart" / "files"


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json"])
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(configured, file):
    configured(dialect="cloudevents", secrets=list(sample().sources["ci"].secrets))
    with TestClient(main.of(load(os.environ))) as http:
        text = http.get("/metrics").text
    shown = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    asked = set(re.findall(r"\bdelivery_[a-z_]+", (MONITORING / file).read_text()))
    assert len(asked) > 5
    assert asked <= {*shown, *(f"{name}_bucket" for name, kind in shown.items() if kind == "histogram")}


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ({"dialect": "carrier-pigeon", "secrets": ["x"]}, "sources.ci dialect named 'carrier-pigeon'"),
        ({"dialect": "cloudevents", "secrets": [secret("x")]}, "sources.ci.secrets: a webhook secret is whsec_"),
    ],
)
def test_a_source_that_cannot_work_stops_the_start(configured, sources, says):
    configured(**sources)
    with pytest.raises(UnknownName, match=says):
        main.of(load(os.environ))
