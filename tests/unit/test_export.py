"""What an export proves: every change to it, and every piece that is missing, is seen."""

import json
from collections.abc import Iterator

import pytest

from delivery.adapters.ledger.memory import MemoryLedger
from delivery.machine.evolve import fold
from delivery.model.erasure import Whom
from delivery.model.export import Check, Checked, Writer, released
from delivery.model.ids import HOUR, MINUTE, Micros, ReleaseId, target_id
from delivery.model.record import Entry, RecordKind
from delivery.testing.contracts.ledger_values import START, Story, Watch, begin, created, row

T = target_id("checkout", "local")


def ledger_with(many: int, *, salted: bool = True) -> MemoryLedger:
    ledger = MemoryLedger(Watch(), fold)
    created(ledger, row())
    for number in range(1, many + 1):
        story = Story(T, ReleaseId(f"rel_{number}"), number, at=Micros(START + number), salted=salted)
        begin(ledger, story.started().cancelled())
    return ledger


def exported(ledger: MemoryLedger) -> list[bytes]:
    return list(lines(ledger))


def lines(ledger: MemoryLedger) -> Iterator[bytes]:
    writer = Writer()
    yield writer.head({"service": None})
    for one in ledger.ended(Micros(0), Micros(START + HOUR), 99):
        yield from released(one, ledger.events(one.release), writer)
    for record in ledger.records():
        yield writer.record(record)
    yield writer.end()


def checked(*files: list[bytes]) -> Checked:
    check = Check()
    for number, file in enumerate(files):
        check.file(f"file{number}", file)
    return check.done()


def ended_again(file: list[bytes]) -> list[bytes]:
    """With a sum at its end that fits: what somebody who knows the format would do."""
    writer = Writer()
    made = [writer._line(json.loads(line)) for line in file if b'"kind":"end"' not in line]
    return [*made, writer.end()]


def test_a_whole_history_is_found_whole() -> None:
    found = checked(exported(ledger_with(2)))
    assert found == Checked(releases=2, events=8)


def test_any_line_that_is_missing_changed_or_moved_is_seen() -> None:
    whole = exported(ledger_with(2))
    for number in range(len(whole) - 1):
        less = whole[:number] + whole[number + 1 :]
        assert checked(less).wrong, number
        if number:
            assert checked(ended_again(less)).wrong, number
    assert "was cut off" in checked(whole[:-1]).wrong[-1]
    assert checked(ended_again([whole[0], whole[1], whole[3], whole[2], *whole[4:]])).wrong


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("alice", "mallet", "what people said was changed"),
        ("1.4.2", "1.4.3", "event 1 of rel_1 was changed"),
    ],
)
def test_a_changed_word_is_seen(before: str, after: str, text: str) -> None:
    whole = [line.replace(before.encode(), after.encode()) for line in exported(ledger_with(1))]
    assert any(text in one for one in checked(ended_again(whole)).wrong)


def test_words_that_were_taken_out_are_missed() -> None:
    whole = [json.loads(line) for line in exported(ledger_with(1))]
    whole[2]["said"] = ""
    assert "is missing" in checked(ended_again([json.dumps(one).encode() for one in whole])).wrong[0]


def test_what_was_taken_away_must_be_what_was_exported_before() -> None:
    ledger = ledger_with(3)
    before = exported(ledger)
    ledger.drop_releases(Micros(START + MINUTE), 99)
    after = exported(ledger)
    found = checked(before, after)
    assert (found.wrong, found.releases, found.records) == ([], 4, 2)
    other = exported(MemoryLedger(Watch(), fold))
    assert checked(other).wrong == []
    forged = ended_again([line.replace(b'"number":1,', b'"number":7,') for line in before])
    assert checked(forged, after).wrong


def test_a_record_that_is_missing_is_missed() -> None:
    ledger = ledger_with(1)
    for until in range(3):
        ledger.record(Entry(RecordKind.EXPORTED, {"until": until}, by="ann", salt="salt"))
    whole = exported(ledger)
    assert checked(whole).records == 3
    less = [line for line in whole if b'"n":2' not in line]
    assert any("record 2 is missing" in one for one in checked(ended_again(less)).wrong)


def test_what_is_no_export_is_told_by_its_line() -> None:
    found = checked([b"{}\n", b"[1]\n", b"nonsense\n"])
    assert [one.partition(": ")[0] for one in found.wrong] == ["file0:1", "file0:2", "file0:3", "file0"]


@pytest.mark.parametrize("salted", [True, False], ids=["apart", "hashed"])
def test_what_was_erased_is_on_record_and_cannot_be_filled_in(salted: bool) -> None:
    ledger = ledger_with(2, salted=salted)
    before = exported(ledger)
    entry = Entry(RecordKind.ERASED, {"person": "3f2a"}, by="root", salt="salt")
    ledger.erase_releases(Whom(("alice",), "3f2a"), None, 9, entry)
    after = exported(ledger)
    found = checked(after)
    assert (found.wrong, found.erased, found.redacted) == ([], 4 if salted else 0, 0 if salted else 4)
    assert b"alice" not in b"".join(after)
    assert checked(before, after).wrong == []
    forged = ended_again([line.replace(b"erased person 3f2a", b"mallet") for line in after])
    assert len(checked(forged).wrong) == 4
    unrecorded = ended_again([line for line in after if b'"kind":"record"' not in line])
    assert len(checked(unrecorded).wrong) == 4
