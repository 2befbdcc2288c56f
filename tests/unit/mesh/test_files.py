"""The watched files: whole or not at all, one writer at a time, readable for all, and a copy of what was accepted."""

import json
import resource
import threading
from contextlib import contextmanager

import pytest

from delivery.adapters.mesh.envoy import files
from delivery.adapters.mesh.envoy.files import (
    CLUSTERS,
    ROUTES,
    TOKENS,
    Files,
    clusters_document,
    providers_of,
    routes_document,
    sections_of,
    tokens_document,
)
from delivery.adapters.mesh.envoy.validate import Validator
from delivery.ports.errors import Unavailable
from delivery.sandbox.envoy import find_envoy


@pytest.fixture
def mine(tmp_path):
    mine = Files(tmp_path / "mesh")
    mine.prepare()
    return mine


def test_preparing_again_keeps_what_is_there(mine):
    mine.replace(ROUTES, routes_document([{"name": "checkout"}], 4))
    mine.prepare()
    assert sections_of(mine.load(ROUTES).document) == [{"name": "checkout"}]


def test_a_file_that_was_lost_comes_back_as_it_was_accepted(mine):
    """Empty files would take every service off the air."""
    mine.replace(ROUTES, routes_document([{"name": "checkout"}], 4))
    mine.path(ROUTES).unlink()
    mine.prepare()
    assert sections_of(json.loads(mine.path(ROUTES).read_text())) == [{"name": "checkout"}]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"resources": 1}', "resources: []", "{}", '{"resources": [1]}', '{"resources": [{}]}'),
        '{"resources": [{"name": "main", "virtual_hosts": [{}]}]}',
        '{"resources": [{"name": "main", "virtual_hosts": 1}]}',
    ],
)
def test_a_broken_file_is_told_and_what_was_accepted_is_given(mine, text):
    mine.replace(CLUSTERS, clusters_document([{"name": "a"}], 2))
    mine.path(CLUSTERS).write_text(text)
    stored = mine.load(CLUSTERS)
    assert (stored.intact, stored.document["resources"]) == (False, [{"name": "a"}])


def test_without_any_good_file_it_is_unavailable(mine):
    mine.path(ROUTES).write_text("{")
    (mine.directory / "good" / "rds.json").unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        mine.load(ROUTES)


def test_nothing_but_the_file_itself_is_in_a_watched_directory(mine):
    for rev in range(3):
        mine.replace(ROUTES, routes_document([], rev))
    assert [path.name for path in mine.path(ROUTES).parent.iterdir()] == ["rds.json"]
    assert mine.path(ROUTES).stat().st_mode & 0o777 == 0o644


def test_one_writer_at_a_time(mine, monkeypatch):
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.05)
    with mine.lock(), pytest.raises(Unavailable, match="another process has held"), Files(mine.directory).lock():
        pass
    with Files(mine.directory).lock():
        pass


def test_writers_wait_for_each_other(mine):
    counted = mine.directory / "count"
    counted.write_text("0")

    def add():
        for _ in range(25):
            with Files(mine.directory).lock():
                counted.write_text(str(int(counted.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.read_text() == "100"


def test_a_directory_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="cannot be locked"), Files(tmp_path / "nowhere").lock():
        pass


def test_a_missing_envoy_is_unavailable_and_never_a_silent_yes():
    with pytest.raises(Unavailable, match="cannot be started"):
        Validator("/nowhere/envoy").check([], [])


@contextmanager
def full_disk(most=64):
    """No file can be larger than that: a write ends in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_unavailable_and_what_was_there_stays(mine):
    mine.replace(ROUTES, routes_document([{"name": "checkout"}], 4))
    before = mine.path(ROUTES).read_bytes()
    with full_disk():
        with pytest.raises(Unavailable, match="cannot be written"):
            mine.replace(ROUTES, routes_document([{"name": "billing"}], 5))
        with pytest.raises(Unavailable, match="cannot be validated"):
            Validator(find_envoy()).check([], [])
    assert mine.path(ROUTES).read_bytes() == mine.directory.joinpath("good", "rds.json").read_bytes() == before
    mine.replace(ROUTES, routes_document([{"name": "billing"}], 5))
    assert sections_of(mine.load(ROUTES).document) == [{"name": "billing"}]


@pytest.mark.parametrize("text", ['{"typed_config": null}', '{"typed_config": {"providers": [1]}}'])
def test_tokens_that_somebody_broke_are_those_that_were_accepted(mine, text):
    mine.replace(TOKENS, tokens_document({"a": {"issuer": "x"}}, 2))
    mine.path(TOKENS).write_text(json.dumps({"resources": [{"name": "delivery.jwt", **json.loads(text)}]}))
    assert providers_of(mine.load(TOKENS).document) == {"a": {"issuer": "x"}}
