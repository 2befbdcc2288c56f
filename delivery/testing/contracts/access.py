"""What every adapter of the port Access must do."""

from dataclasses import replace

from delivery.model.ids import HOUR, Micros, Principal
from delivery.model.role import Role
from delivery.model.scope import Scope
from delivery.ports.access import ApiToken, Session
from delivery.testing.contracts.ledger_values import START, LedgerWorld

ALICE = Session(
    "a" * 64, "token", "alice-laptop", Principal("alice"), Role.OPERATOR, ("sre", "é"), Micros(START + HOUR)
)


CI = ApiToken(
    "ci", "c" * 64, Principal("ci"), Role.OPERATOR, ("sre",), Scope(("checkout",), (), ("prod-eu",), ("start",)),
    START, Principal("root"), Micros(START + HOUR),
)  # fmt: skip
EVER = ApiToken("ever", "e" * 64, Principal("bob"), Role.VIEWER, (), Scope(), START, Principal("root"))


class Tokens:
    def test_a_token_is_found_by_its_digest_and_its_name(self, world: LedgerWorld) -> None:
        assert world.ledger.add_token(EVER)
        assert world.ledger.add_token(CI)
        assert (world.other.token(CI.digest), world.other.token_named("ever")) == (CI, EVER)
        assert world.other.tokens() == (CI, EVER)
        assert (world.ledger.token("f" * 64), world.ledger.token_named("nobody")) == (None, None)

    def test_a_name_is_taken_once(self, world: LedgerWorld) -> None:
        assert world.ledger.add_token(CI)
        assert not world.other.add_token(replace(CI, digest="f" * 64))
        assert world.other.tokens() == (CI,)

    def test_a_token_is_revoked_once_and_its_name_not_free(self, world: LedgerWorld) -> None:
        world.ledger.add_token(CI)
        assert world.other.revoke_token("ci", Principal("root"), Micros(START + 5))
        assert not world.ledger.revoke_token("ci", Principal("eve"), Micros(START + 9))
        assert not world.ledger.revoke_token("nobody", Principal("root"), START)
        revoked = replace(CI, revoked_at=Micros(START + 5), revoked_by=Principal("root"))
        assert world.ledger.token(CI.digest) == revoked
        assert not world.ledger.add_token(CI)

    def test_when_a_token_was_used(self, world: LedgerWorld) -> None:
        world.ledger.add_token(CI)
        world.ledger.token_used("ci", Micros(START + 7))
        world.ledger.token_used("nobody", START)
        assert world.other.tokens() == (replace(CI, used_at=Micros(START + 7)),)


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
