"""The parts of a server, each by its own command and by a configuration file."""

import json
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from delivery.sandbox.ports import free_port
from tests.e2e.processes import Command

WITHIN = 30.0


@pytest.fixture
def config(tmp_path) -> tuple[Path, int]:
    port = free_port()
    file = tmp_path / "delivery.toml"
    memory = "\n".join(f'{part} = {{ kind = "memory" }}' for part in ("mesh", "workloads", "metrics"))
    file.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n[database]\nurl = "sqlite:///{tmp_path}/delivery.db"\n'
        f"[clusters.local]\n{memory}\n"
    )
    return file, port


def ready(port: int) -> dict[str, object]:
    """What /readyz says, once it answers."""
    until = time.monotonic() + WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return dict(json.loads(answer.read()))
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_migrate_api_and_worker_make_a_server(tmp_path, config):
    file, port = config
    folders = [tmp_path / name for name in ("migrate", "api", "worker")]
    for folder in folders:
        folder.mkdir()
    with Command(folders[0], ["migrate", "--config", str(file)]) as migrate:
        assert migrate.end() == 0, migrate.lines
        assert migrate.lines[-1:] == ["the database is up to date"]
    with Command(folders[1], ["api", "--config", str(file)]) as api:
        assert ready(port)["status"] == "degraded"
        with Command(folders[2], ["worker", "--config", str(file), "--name", "one"]) as worker:
            until = time.monotonic() + WITHIN
            while ready(port)["status"] != "ready":
                assert time.monotonic() < until, worker.lines
                time.sleep(0.05)
            worker.process.send_signal(signal.SIGTERM)
            assert worker.end() == 0, worker.lines
        api.process.send_signal(signal.SIGTERM)
        assert api.end() in (0, -signal.SIGTERM), api.lines
        assert api.left() == worker.left() == []


def test_migrate_can_wait_until_another_has_migrated(tmp_path, config):
    file, _ = config
    folders = [tmp_path / name for name in ("waits", "migrates")]
    for folder in folders:
        folder.mkdir()
    with Command(folders[0], ["migrate", "--wait", "--config", str(file)]) as waits:
        waits.until("waits for the database")
        with Command(folders[1], ["migrate", "--config", str(file)]) as migrate:
            assert migrate.end() == 0, migrate.lines
        assert waits.end() == 0, waits.lines
    assert waits.lines[-1] == "the database is up to date"


def test_a_configuration_that_cannot_be_used_is_said_before_anything_starts(tmp_path):
    (tmp_path / "delivery.toml").write_text("[server]\nlisten = 7\n")
    with Command(tmp_path, ["api", "--config", str(tmp_path / "delivery.toml")]) as api:
        assert api.end() == 1
    said = "\n".join(api.lines)
    assert "server.listen" in said
    assert "database" in said
    assert "Traceback" not in said


def test_a_first_start_shows_a_token_once_with_which_people_make_their_own(tmp_path, config):
    file, port = config
    folders = [tmp_path / name for name in ("migrate", "first", "create", "revoke", "second")]
    for folder in folders:
        folder.mkdir()
    with Command(folders[0], ["migrate", "--config", str(file)]) as migrate:
        assert migrate.end() == 0, migrate.lines
    with Command(folders[1], ["api", "--config", str(file)]) as api:
        secret = api.until("dlv_").strip()
        ready(port)
        where = ["--url", f"http://127.0.0.1:{port}", "--token"]
        with Command(
            folders[2], ["token", "create", "root", "--principal", "r", "--role", "admin", *where, secret]
        ) as made:
            assert made.end() == 0, made.lines
        (mine,) = [line for line in made.lines if line.startswith("dlv_")]
        with Command(folders[3], ["token", "revoke", "first-admin", *where, mine]) as revoked:
            assert revoked.end() == 0, revoked.lines
        api.process.send_signal(signal.SIGTERM)
        api.end()
    assert "\n".join(api.lines).count(secret) == 1
    with Command(folders[4], ["api", "--config", str(file)]) as again:
        ready(port)
        again.process.send_signal(signal.SIGTERM)
        again.end()
    assert "dlv_" not in "\n".join(again.lines)
