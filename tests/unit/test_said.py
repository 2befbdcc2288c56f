"""What people said is apart from what is hashed, and both together are the event again."""

import json

import pytest

from delivery.model.codec import GENESIS, CodecError, StoredEvent, link, seal, unseal
from delivery.model.event import Approved, Cause, CauseKind, Closed, MeshRecovered, Phase
from delivery.model.ids import Micros, Principal, ReleaseId
from delivery.model.said import commitment

ANN = Principal("ann")
APPROVED = Approved(at=Micros(7), stage=1, dseq=3, actor=ANN, reason="looks good, Bob says so", via="slack")
ABORTED = Closed(
    at=Micros(7), phase=Phase.CANCELLED, cause=Cause(CauseKind.ABORTED, actor=ANN, reason="INC-123", via="cli")
)


def sealed(event: Approved | Closed | MeshRecovered, salt: str = "salt") -> StoredEvent:
    return seal(ReleaseId("rel_01"), 4, GENESIS, event, salt)


@pytest.mark.parametrize("event", [APPROVED, ABORTED, MeshRecovered(at=Micros(7))], ids=lambda one: type(one).__name__)
def test_an_event_is_whole_again_when_it_is_read(event: Approved | Closed | MeshRecovered) -> None:
    assert sealed(event).event == event


@pytest.mark.parametrize("event", [APPROVED, ABORTED], ids=lambda one: type(one).__name__)
def test_nothing_that_names_a_person_is_hashed(event: Approved | Closed) -> None:
    stored = sealed(event)
    for word in (b"ann", b"Bob", b"good", b"INC-123", b"slack"):
        assert word not in stored.body
    assert stored.hash == link(GENESIS, stored.body)
    assert json.loads(stored.body)["said"] == commitment(stored.said)


def test_the_same_words_look_different_each_time() -> None:
    assert sealed(APPROVED, "one").body != sealed(APPROVED, "two").body


def test_what_says_nothing_of_people_is_stored_whole() -> None:
    stored = sealed(MeshRecovered(at=Micros(7)))
    assert (stored.said, stored.body) == (b"", b'{"data":{"at":7},"schema":1,"type":"MeshRecovered"}')


def test_without_a_salt_all_is_in_the_body() -> None:
    stored = sealed(APPROVED, "")
    assert (stored.said, stored.event) == (b"", APPROVED)
    assert b"ann" in stored.body


def test_words_that_are_lost_are_no_silent_nobody() -> None:
    with pytest.raises(CodecError):
        unseal(sealed(APPROVED).body)
