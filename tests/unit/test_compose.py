"""deploy/compose.yaml, as far as it can be looked at without an engine."""

import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from delivery.cli.main import app
from delivery.settings import parse
from tests.unit.cli.test_docs import commands as known

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def test_it_starts_commands_that_there_are(services):
    commands = known(typer.main.get_command(app))
    ours = {name: one for name, one in services.items() if one["image"] == "progressive-delivery"}
    assert set(ours) == {"migrate", "api", "worker"}
    for name, one in ours.items():
        assert one["command"] == [name]
        assert name in commands
        assert (DEPLOY / one["build"]["context"] / one["build"]["dockerfile"]).is_file()


def test_ours_run_without_rights_and_wait_for_what_they_need(services):
    for name in ("migrate", "api", "worker"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
        for needed in services[name]["depends_on"]:
            assert needed == "migrate" or "healthcheck" in services[needed]


def test_only_loopback_is_opened(services):
    opened = [port for one in services.values() for port in one.get("ports", [])]
    assert opened == ["127.0.0.1:8080:8080"]


def test_the_example_configuration_can_be_used(services):
    environ = services["worker"]["environment"]
    document = tomllib.loads((DEPLOY / "delivery.example.toml").read_text())
    settings = parse(document, {name: environ[name] for name in ("DELIVERY_DATABASE_URL", "DELIVERY_BROKER_URL")})
    assert settings.server.listen == "0.0.0.0:8080"
