"""What every adapter of the port Access must do."""

from dataclasses import replace

from delivery.model.ids import HOUR, Micros, Principal
from delivery.model.role import Role
from delivery.ports.access import Session
from delivery.testing.contracts.ledger_values import START, LedgerWorld

ALICE = Session(
    "a" * 64, "token", "alice-laptop", Principal("alice"), Role.OPERATOR, ("sre", "é"), Micros(START + HOUR)
)


class Sessions:
    def test_a_session_is_found_until_it_is_closed(self, world: LedgerWorld) -> None:
        other = replace(ALICE, digest="b" * 64, groups=())
        for session in (ALICE, other):
            world.ledger.open_session(session, START)
        assert (world.other.session(ALICE.digest), world.other.session(other.digest)) == (ALICE, other)
        assert world.ledger.session("c" * 64) is None
        for _ in range(2):
            world.other.close_session(ALICE.digest)
        assert (world.ledger.session(ALICE.digest), world.ledger.session(other.digest)) == (None, other)

    def test_sessions_that_are_over_are_forgotten_when_another_begins(self, world: LedgerWorld) -> None:
        world.ledger.open_session(ALICE, START)
        new = replace(ALICE, digest="b" * 64, until=Micros(START + 9 * HOUR))
        world.ledger.open_session(new, Micros(ALICE.until + 1))
        assert (world.other.session(ALICE.digest), world.other.session(new.digest)) == (None, new)
