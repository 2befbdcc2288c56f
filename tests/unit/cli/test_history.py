"""The history in a file, checked without the server."""

import json

from delivery.model.ids import HOUR, Micros
from tests.api.world import NOW


def test_an_export_is_checked_while_it_is_written_and_again_offline(sh, checkout, tmp_path):
    file = tmp_path / "history.jsonl"
    done = sh("history", "export", str(file))
    assert done.out.startswith(f"{file}: 1 release with "), done.err
    assert sh("history", "verify", str(file), who=None).out.startswith("1 release with ")
    assert json.loads(sh("history", "verify", str(file), "-o", "json", who=None).out)["releases"] == 1
    assert sh("history", "export", str(file)).code == 1
    file.write_bytes(file.read_bytes().replace(b"olga", b"otto"))
    forged = sh("history", "verify", str(file), who=None)
    assert (forged.code, "what people said was changed" in forged.err) == (1, True)


def test_an_export_can_be_piped_and_narrowed(sh, checkout):
    whole = sh("history", "export").out.splitlines()
    kinds = [json.loads(line).get("kind") for line in whole]
    assert (kinds[:2], kinds[-1]) == ([None, "release"], "end")
    for narrowed in (("--service", "cart"), ("--since", "2126-01-01T00:00:00Z"), ("--until", "2000-01-01T00:00:00Z")):
        assert [json.loads(line).get("kind") for line in sh("history", "export", *narrowed).out.splitlines()] == [
            None, "end",
        ]  # fmt: skip
    assert sh("history", "export", "--since", "yesterday").code == 1


def test_a_release_whose_time_is_over_is_told_of(sh, checkout):
    for version in ("1.4.2", "1.4.3"):
        assert sh("release", "start", "checkout", version).code == 0
        checkout.go(10)
        sh("release", "abort", "checkout/2" if version == "1.4.2" else "checkout/3", "-m", "no")
        checkout.go(30)
    (gone,) = [one.release.id for one in checkout.ledger.by_number("checkout", 2)]
    checkout.ledger.drop_releases(Micros(checkout.clock.now() + HOUR), 9)
    told = sh("release", "show", gone)
    assert told.code == 1
    assert "#2 of checkout@local (1.4.2, rolled_back) was taken away on" in told.err
    assert "record 1 of the history tells" in told.err


def test_what_was_done_to_the_history_is_on_record(sh, checkout):
    assert "nothing was done" in sh("history", "records").err
    assert sh("history", "exported", "2026-01-01T00:00:00Z", who="root").code == 0
    assert sh("history", "exported", "2026-01-01T00:00:00Z").code == 1
    assert sh("history", "exported", "2126-01-01T00:00:00Z", who="root").code == 1
    checkout.ledger.drop_releases(Micros(NOW + HOUR), 9)
    listed = sh("history", "records")
    assert "exported  root" in listed.out
    assert [one["kind"] for one in json.loads(sh("history", "records", "-o", "json").out)] == ["exported"]
