"""The arithmetic of users who stay, exactly: odds of cookies followed through the stages of a release."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as some

from delivery.adapters.mesh.answer import Request
from delivery.adapters.mesh.envoy.render import section
from delivery.model.ids import target_id
from delivery.model.traffic import Sticky, Traffic
from delivery.ports.mesh import Route
from tests.unit.mesh.reading import odds
from tests.unit.mesh.test_render import CANDIDATE, STABLE, STAMP


def route(weight, draws):
    target = target_id("checkout", "local")
    return Route(target, "checkout", STABLE, CANDIDATE, Traffic(weight, sticky=Sticky("rel", draws)), "7")


def after_one_request_each(users, host):
    """Cookies (None: none yet) with their shares of the users, after each has asked once; and the candidate's share."""
    held: dict[str | None, Fraction] = {}
    served = Fraction(0)
    for value, share in users.items():
        cookies = {} if value is None else {"rel": value}
        for (backend, given_back, _), odd in odds(host, Request("checkout", cookies=cookies)).items():
            now = dict(given_back).get("rel", value)
            held[now] = held.get(now, Fraction(0)) + share * odd
            served += share * odd if backend == CANDIDATE.name else 0
    return held, served


@given(some.lists(some.integers(1, 99), min_size=1, max_size=5).map(sorted), some.sets(some.integers(0, 4)))
def test_the_share_of_users_is_the_weight_at_every_stage_also_for_those_who_missed_some(weights, absent):
    users = {None: Fraction(1)}
    for stage, weight in enumerate(weights):
        host = section(route(weight, tuple(weights[:stage])), STAMP, 1)
        if stage in absent and stage < len(weights) - 1:
            continue
        users, served = after_one_request_each(users, host)
        assert served == Fraction(weight, 100)
        again, served_again = after_one_request_each(users, host)
        assert (again, served_again) == (users, served), "a second request moved somebody"


@given(some.lists(some.integers(1, 99), min_size=2, max_size=5).map(sorted))
def test_nobody_leaves_the_candidate_before_a_rollback(weights):
    for stage, weight in enumerate(weights):
        host = section(route(weight, tuple(weights[:stage])), STAMP, 1)
        _, served = after_one_request_each({"candidate-7": Fraction(1)}, host)
        assert served == 1
    rolled_back = section(route(0, tuple(weights)), STAMP, 1)
    held, served = after_one_request_each({"candidate-7": Fraction(1)}, rolled_back)
    assert (held, served) == ({None: Fraction(1)}, 0)
