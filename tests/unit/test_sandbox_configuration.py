"""The generated configuration is one that the server reads, and its secrets stay with their owner."""

import hashlib
import json
import socket
import stat
from base64 import b64decode
from pathlib import Path

import pytest

from delivery import wiring
from delivery.cli import profile
from delivery.model.role import Role
from delivery.sandbox.configuration import PEOPLE, SOURCE, Keys, Places, keys_in, profile_text, settings_text
from delivery.sandbox.logfiles import LogFiles
from delivery.sandbox.ports import free_port, is_free
from delivery.sandbox.valkey import LocalValkey
from delivery.settings import load


@pytest.fixture
def places(tmp_path: Path) -> Places:
    odd = tmp_path / 'a "quoted" folder'
    return Places(
        api_port=8080,
        database=odd / "delivery.db",
        broker="redis://:pw@127.0.0.1:6379/0",
        envoy_files=odd / "files",
        envoy_admin=str(odd / "admin.sock"),
        envoy_binary="/opt/envoy",
        versions=odd / "versions",
        owner=4711,
    )


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return keys_in(tmp_path / "keys.json")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_server_reads_it(tmp_path, places, keys):
    command = ("python", "-m", "shop", "--version", "{version}", '--motto "x"')
    (tmp_path / "delivery.toml").write_text(settings_text(places, keys, {"checkout": command}))
    settings = load({}, str(tmp_path / "delivery.toml"))
    assert settings.server.listen == "127.0.0.1:8080"
    assert settings.database.url == f"sqlite:///{places.database}"
    assert settings.broker is not None
    assert settings.broker.url == places.broker
    assert settings.processes["checkout"].command == command
    assert settings.sources[SOURCE].secrets == (keys.secret,)
    assert [(token.principal, token.role) for token in settings.tokens] == list(PEOPLE.items())
    assert settings.tokens[0].sha256 == hashlib.sha256(keys.tokens[settings.tokens[0].name].encode()).hexdigest()
    assert settings.clusters["local"].workloads.arguments == {"state": str(places.versions), "owner": 4711}


def test_the_adapters_take_their_arguments(tmp_path, places, keys, monkeypatch):
    (tmp_path / "delivery.toml").write_text(settings_text(places, keys, {}))
    wired = wiring.wire(load({}, str(tmp_path / "delivery.toml")))
    try:
        assert list(wired.clusters) == ["local"]
    finally:
        wired.close()


def test_two_people_so_that_whoever_approves_did_not_start_it():
    assert len(PEOPLE) >= 2
    assert all(role.covers(Role.OPERATOR) for role in PEOPLE.values())


def test_keys_are_strong_stay_over_runs_and_are_nobody_elses_to_read(tmp_path):
    first = keys_in(tmp_path / "keys.json")
    assert keys_in(tmp_path / "keys.json") == first
    assert keys_in(tmp_path / "other.json").secret != first.secret
    assert mode(tmp_path / "keys.json") == 0o600
    assert len(b64decode(first.secret.removeprefix("whsec_"))) == 32
    assert all(len(token) > 30 for token in first.tokens.values())


def test_the_commands_profile_is_the_first_persons(tmp_path, places, keys, monkeypatch):
    (tmp_path / "profile.toml").write_text(profile_text(places, keys))
    monkeypatch.setenv("DELIVERY_PROFILE", str(tmp_path / "profile.toml"))
    found = profile.find(None, None)
    assert (found.url, found.token) == ("http://127.0.0.1:8080", keys.tokens["alice"])


def test_valkeys_password_is_in_a_file_of_its_own_and_not_in_the_command(tmp_path):
    valkey = LocalValkey(tmp_path / "valkey", 6400)
    command = valkey.command()
    password = valkey.url.partition(":@")[0].partition("//:")[2].partition("@")[0]
    configuration = tmp_path / "valkey" / "valkey.conf"
    assert len(password) == 32
    assert not any(password in part for part in command)
    assert f"requirepass {password}\n" in configuration.read_text()
    assert "bind 127.0.0.1\n" in configuration.read_text()
    assert mode(configuration) == 0o600
    assert not valkey.answers()


def test_a_port_that_somebody_has_is_not_taken_and_neither_is_one_of_ours():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        assert not is_free(port)
        assert free_port(port) != port
    assert is_free(port)
    assert free_port(port) == port
    assert free_port(port, taken={port}) != port


def test_each_program_has_its_log_of_this_run(tmp_path):
    for run in ("first", "second"):
        with LogFiles(tmp_path / "logs") as logs:
            logs.write("api", f"{run} run")
            logs.write("worker-1", "grüße")
            assert (tmp_path / "logs" / "api.log").read_text() == f"{run} run\n", "readable at once"
    assert (tmp_path / "logs" / "worker-1.log").read_text(encoding="utf-8") == "grüße\n"


def test_keys_of_an_older_run_keep_their_form(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"tokens": {"alice": "a", "bob": "b"}, "secret": "whsec_x"}))
    assert keys_in(tmp_path / "keys.json") == Keys({"alice": "a", "bob": "b"}, "whsec_x")
