import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from delivery.adapters.ledger.sql import SqlLedger, upgrade
from delivery.adapters.ledger.sql.engine import Database
from delivery.machine.evolve import fold
from delivery.model import codec
from delivery.model.codec import SCHEMA, digest, seal, unseal
from delivery.model.event import EVENTS, MeshFailing
from delivery.model.ids import Micros, ReleaseId, target_id
from delivery.model.target import Target
from delivery.ports.rows import Result, Row, StoredRelease, Unit
from tests.histories.golden import Golden, recorded, same

ROOT = Path(__file__).parents[2]
GOLDEN = tuple(recorded())
T = Target(target_id("checkout", "prod-eu"), "checkout", "prod-eu")


@pytest.fixture
def url(each_database: str) -> str:
    return each_database


def test_every_type_of_event_has_been_recorded_in_every_schema() -> None:
    for schema in range(1, SCHEMA + 1):
        found = {event.type for golden in GOLDEN if golden.schema == schema for event in golden.events()}
        assert found == {event.__name__ for event in EVENTS}


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.form}-{golden.schema}-{golden.name}")
def test_a_stored_history_folds_to_what_it_did_then(golden: Golden) -> None:
    assert same(fold(golden.facts), golden.release)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.form}-{golden.schema}-{golden.name}")
def test_what_is_read_is_written_without_a_loss(golden: Golden) -> None:
    for event in golden.facts:
        assert seal(ReleaseId("rel"), 1, codec.GENESIS, event, "salt").event == event


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.form}-{golden.schema}-{golden.name}")
def test_bytes_are_canonical_json_whatever_was_written_before(golden: Golden) -> None:
    """A plan is written once for all that have it: that must not show."""

    def written(plain: object) -> bytes:
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    release = fold(golden.facts)
    for _ in range(2):
        for value in (release, release.plan, *golden.facts):
            assert codec.canon(value) == written(codec.to_plain(value))
        for event in golden.facts:
            body = {"schema": SCHEMA, "type": type(event).__name__, "data": codec.to_plain(event)}
            assert seal(release.id, 1, codec.GENESIS, event, "").body == written(body)


def test_an_event_of_an_older_schema_is_brought_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(old: str, new: str):
        def upcast(document):
            data = {new if name == old else name: value for name, value in document["data"].items()}
            return {**document, "data": data}

        return upcast

    monkeypatch.setattr(codec, "UPCASTERS", {1: renamed("text", "words"), 2: renamed("words", "detail")})
    monkeypatch.setattr(codec, "SCHEMA", 3)
    body = b'{"data":{"at":7,"text":"refused"},"schema":1,"type":"MeshFailing"}'
    assert unseal(body) == MeshFailing(at=Micros(7), detail="refused")
    with pytest.raises(codec.CodecError):
        unseal(body.replace(b'"schema":1', b'"schema":2'))


def store(url: str, form: str) -> dict[str, dict[str, str]]:
    """Commits every history of this form; what a reader must find."""
    upgrade(url)
    ledger = SqlLedger(url, fold)
    expected: dict[str, dict[str, str]] = {}
    ledger.create_target(Row(T))
    try:
        for version, golden in enumerate(one for one in GOLDEN if one.form == form):
            events = golden.events()
            stored = StoredRelease(fold(golden.facts), events[-1].hash)
            changed = Row(replace(T, number=version + 1))
            unit = Unit(target=T.id, expect=version, row=changed, releases=(stored,), events=events)
            assert [each.result for each in ledger.commit([unit])] == [Result.DONE]
            expected[stored.release.id] = {
                "head": stored.head,
                "digest": digest(stored.release),
                "snapshot_is_the_fold": "yes",
            }
    finally:
        ledger.close()
    return expected


def read(url: str, hash_seed: str, zone: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": "C"}
    command = [sys.executable, "-W", "error", "-m", "tests.histories.read_stored", url]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("form", ["schema", "apart"])
def test_raw_bytes_fold_alike_in_a_fresh_process_elsewhere(url: str, form: str) -> None:
    expected = store(url, form)
    for hash_seed, zone in (("1", "Pacific/Chatham"), ("4242", "America/St_Johns")):
        found = read(url, hash_seed, zone)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout) == expected


def test_a_changed_byte_breaks_the_chain(url: str) -> None:
    store(url, "schema")
    database = Database(url)
    try:
        with database.write() as connection:
            query = text("SELECT body FROM event WHERE release = 'rel_03' AND seq = 10")
            body = connection.execute(query).scalar_one()
            change = text("UPDATE event SET body = :body WHERE release = 'rel_03' AND seq = 10")
            forged = body.replace(b"not before Monday", b"not before Friday")
            assert forged != body
            connection.execute(change, {"body": forged})
    finally:
        database.close()
    found = read(url, "1", "UTC")
    assert (found.returncode, found.stderr.strip()) == (1, "the chain of rel_03 is broken at event 10")
