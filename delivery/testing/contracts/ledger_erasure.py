"""Names of people out of what is stored, and nothing else."""

from dataclasses import replace

from delivery.model.codec import StoredEvent, link
from delivery.model.erasure import GONE, Whom
from delivery.model.event import Approved
from delivery.model.ids import SECOND, Micros, Principal, ReleaseId, target_id
from delivery.model.record import Entry, RecordKind, fingerprint
from delivery.model.role import Role
from delivery.model.scope import EVERYTHING
from delivery.ports.access import ApiToken, Session
from delivery.ports.erasure import Step
from delivery.ports.rows import Alert, InboxState, StopOrder, Unit
from delivery.testing.contracts.ledger_values import (
    START,
    LedgerWorld,
    Store,
    Story,
    begin,
    committed,
    created,
    delivery,
    row,
    service,
)

T = target_id("checkout", "local")
ALICE = Whom(("alice", "alice@example.org"), "3f2a")
ENTRY = Entry(RecordKind.ERASED, {"person": "3f2a"}, by="root", salt="salt")
BOB = Principal("bob")


class Erasures:
    def test_a_release_that_is_over_is_told_of_without_them_and_its_chain_holds(self, world: LedgerWorld) -> None:
        over(world.ledger, 1)
        before = world.ledger.events(rel(1))
        assert world.ledger.erase_releases(ALICE, None, 9, ENTRY) == Step(1, None)
        after = world.other.events(rel(1))
        assert [event.hash for event in after] == [event.hash for event in before]
        assert all(link(event.prev, event.body) == event.hash for event in after)
        assert unnamed(after)
        stored = world.other.release(rel(1))
        assert stored is not None
        assert (stored.head, stored.release.actor) == (after[-1].hash, ALICE.stand_in)
        approved = next(one for one in (event.event for event in after) if isinstance(one, Approved))
        assert (approved.actor, approved.reason) == (BOB, f"{ALICE.stand_in} asked me")
        (record,) = world.other.records()
        assert (record.kind, record.by) == (RecordKind.ERASED, "root")
        told = {seq: now for _, seq, _, now in record.data["rewritten"]}
        assert told == {event.seq: fingerprint(event) for event, old in zip(after, before, strict=True) if event != old}
        assert world.ledger.erase_releases(ALICE, None, 9, ENTRY) == Step(0, None)
        assert len(world.other.records()) == 1

    def test_whoever_read_a_release_before_reads_it_anew(self, world: LedgerWorld) -> None:
        over(world.ledger, 1)
        known = world.other.release(rel(1))
        assert known is not None
        assert known.release.actor == "alice"
        world.ledger.erase_releases(ALICE, None, 9, ENTRY)
        again = world.other.release(rel(1))
        assert again is not None
        assert again.release.actor == ALICE.stand_in

    def test_names_that_are_hashed_go_too_and_a_record_says_so(self, world: LedgerWorld) -> None:
        over(world.ledger, 1, salted=False)
        assert world.ledger.erase_releases(ALICE, None, 9, ENTRY) == Step(1, None)
        after = world.other.events(rel(1))
        assert unnamed(after)
        altered = [event.seq for event in after if link(event.prev, event.body) != event.hash]
        (record,) = world.other.records()
        assert altered == [seq for _, seq, _, _ in record.data["rewritten"]] != []

    def test_releases_are_gone_through_a_few_at_a_time(self, world: LedgerWorld) -> None:
        over(world.ledger, 3)
        assert world.ledger.erase_releases(ALICE, None, 2, ENTRY) == Step(2, rel(2))
        assert world.ledger.erase_releases(ALICE, rel(2), 2, ENTRY) == Step(1, None)
        assert len(world.other.records()) == 2

    def test_what_is_open_and_names_them_is_told_and_left_alone(self, world: LedgerWorld) -> None:
        assert world.ledger.hindrances(ALICE) == ()
        created(world.ledger, replace(row(), target=replace(row().target, paused="Alice: INC-1")))
        begin(world.ledger, Story(T, rel(1)).started())
        world.ledger.put_stop(StopOrder("*", BOB, "alice said so", START))
        dead = replace(delivery("k"), body=b'{"by": "alice"}', state=InboxState.DEAD)
        committed(world.ledger, Unit(inbox=(dead,)))
        found = world.other.hindrances(ALICE)
        assert [text.split()[0] for text in found] == ["release", "writes", "a", "delivery"]
        assert world.other.hindrances(Whom(("carol",), "1")) == ()
        assert world.ledger.erase_releases(ALICE, None, 9, ENTRY) == Step(0, None)
        assert world.ledger.erase_deliveries(ALICE, None, 9) == Step(0, None)

    def test_bodies_of_deliveries_that_name_them_are_emptied(self, world: LedgerWorld) -> None:
        theirs = replace(
            delivery("a"), body=b'{"pusher": "Alice"}', reason="alice asked", answer={"text": ["by alice"]}
        )
        escaped = replace(delivery("b"), body=b'{"by": "\\u0061lice"}')
        others = replace(delivery("c"), body=b'{"pusher": "malice", "mail": "alice@example.com"}')
        committed(world.ledger, *(Unit(inbox=(one,)) for one in (theirs, escaped, others)))
        first = world.ledger.erase_deliveries(ALICE, None, 2)
        assert (first.rows, first.next is not None) == (2, True)
        assert world.ledger.erase_deliveries(ALICE, first.next, 2) == Step(0, None)
        found = {row.key: row for row in world.other.inbox(InboxState.DONE, 9)}
        who = ALICE.stand_in
        assert found["a"] == replace(theirs, body=b"", reason=f"{who} asked", answer={"text": [f"by {who}"]})
        assert found["b"] == replace(escaped, body=b"")
        assert found["c"] == others

    def test_they_have_no_way_in_any_more_and_did_nothing_by_name(self, world: LedgerWorld) -> None:
        mine, bobs = token("alice-laptop", "alice"), token("ci", "bob", by="alice")
        world.ledger.add_token(mine)
        world.ledger.add_token(bobs)
        for who in ("alice", "bob"):
            one = Session(f"digest of {who}", "oidc", who, Principal(who), Role.VIEWER, (), Micros(START + SECOND))
            world.ledger.open_session(one, START)
        world.ledger.put_service(service("checkout"))
        committed(world.ledger, Unit(alerts=(Alert(START, "inbox_dead", "x", "Alice sent it"),)))
        world.ledger.record(Entry(RecordKind.EXPORTED, {"until": 7}, by="alice", salt="salt"))
        assert world.ledger.erase_access(ALICE, START) == Step(6, None)
        assert world.other.session("digest of alice") is None
        assert world.other.session("digest of bob") is not None
        revoked = world.other.token(mine.digest)
        assert revoked is not None
        assert (revoked.principal, revoked.revoked_at, revoked.revoked_by) == (ALICE.stand_in, START, ALICE.stand_in)
        assert "alice" not in revoked.name
        assert world.other.token(bobs.digest) == replace(bobs, created_by=ALICE.stand_in)
        applied = world.other.service("checkout")
        assert applied is not None
        assert applied.applied_by == ALICE.stand_in
        assert world.other.alerts(9)[0].detail == f"{ALICE.stand_in} sent it"
        (record,) = world.other.records()
        assert (record.by, link(record.prev, record.body)) == (ALICE.stand_in, record.hash)
        assert world.ledger.erase_access(ALICE, START) == Step(0, None)


def rel(number: int) -> ReleaseId:
    return ReleaseId(f"rel_{number:02}")


def over(ledger: Store, many: int, *, salted: bool = True) -> None:
    """So many releases that alice began, bob approved, and alice took back."""
    created(ledger, row())
    for number in range(1, many + 1):
        story = Story(T, rel(number), number, at=Micros(START + number), salted=salted)
        at = story.at
        approved = Approved(at=at, stage=0, dseq=0, actor=BOB, reason="Alice asked me", via="slack")
        begin(ledger, story.started().then(approved).cancelled("alice@example.org is on call"))


def token(name: str, principal: str, by: str = "root") -> ApiToken:
    who = Principal(principal)
    return ApiToken(name, f"digest of {name}", who, Role.OPERATOR, (), EVERYTHING, START, Principal(by))


def unnamed(events: tuple[StoredEvent, ...]) -> bool:
    """Whether no byte names them, and what they typed is gone."""
    whole = b"".join(event.body + event.said for event in events)
    return b"lice" not in whole and b"on call" not in whole and GONE.encode() in whole
