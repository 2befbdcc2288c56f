"""Somebody's names out of all that is stored, and the history that is left proves itself."""

import io
import json

import pytest


@pytest.fixture
def over(sh, checkout):
    """A second release that otto began and ended."""
    assert sh("release", "start", "checkout", "1.4.2", who="otto").code == 0
    checkout.go(10)
    assert sh("release", "abort", "checkout/2", "-m", "otto says no", who="otto").code == 0
    checkout.go(30)
    return checkout


def test_a_name_is_erased_and_the_history_is_whole(sh, over, tmp_path):
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    assert sh("history", "export", str(before)).code == 0
    done = json.loads(sh("people", "erase", "otto", "--yes", "-o", "json", who="root").out)
    who = done["stand_in"]
    assert who == f"erased person {done['key']}"
    told = (
        sh("release", "show", "checkout/2").out + sh("release", "list").out + sh("release", "explain", "checkout/2").out
    )
    assert "otto" not in told
    assert who in told
    assert sh("history", "export", str(after)).code == 0
    assert "names are erased in 3 events" in sh("history", "verify", str(after), str(before), who=None).out
    assert b"otto" not in after.read_bytes()
    rows = [row for row in over.ledger._tables.inbox.values() if b"otto" in row.body]
    assert rows == []
    listed = json.loads(sh("history", "records", "-o", "json").out)
    assert [(one["kind"], one["by"], one["data"]["person"]) for one in listed] == [("erased", "root", done["key"])]
    again = json.loads(sh("people", "erase", "otto", "--yes", "-o", "json", who="root").out)
    assert again["changed"] == 0


def test_what_is_open_is_waited_for(sh, checkout):
    assert sh("release", "start", "checkout", "1.4.2", who="otto").code == 0
    refused = sh("people", "erase", "otto", "--yes", who="root")
    assert refused.code == 1
    assert "is open and names them: wait until it is over" in refused.err


def test_what_is_not_confirmed_is_not_done(sh, checkout, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = sh("people", "erase", "otto", who="root")
    assert refused.code == 1
    assert refused.err.endswith("error: it was not confirmed, and nothing was done\n")


def test_only_admins_may_and_not_themselves(sh, checkout):
    assert sh("people", "erase", "otto", "--yes").code == 1
    assert "this is you" in sh("people", "erase", "root", "--yes", who="root").err
    assert "too short" in sh("people", "erase", "al", "--yes", who="root").err
