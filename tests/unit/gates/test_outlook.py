"""What a plan's gates would see: against what simulating the same releases at length gives."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.gates import outlook
from delivery.gates.outlook import Load, Seen, load_of, outlooks
from delivery.model.ids import MINUTE, SECOND, GateId, Micros
from delivery.model.plan import Plan, Require, Stage
from delivery.model.traffic import CookieMatch, Match, Mirror, Rule, Traffic
from tests.unit.gates.play import KINDS, spec, tick

BETA = Rule("beta", (Match(cookies=(CookieMatch("group", "b"),)),))


def build(made, alpha, stages):
    return KINDS[made.kind].build(made, alpha, stages)


def stage(traffic, gates=("errors",), bake=10 * MINUTE):
    return Stage("s", "canary", traffic, Micros(bake), Micros(3 * bake), tuple(GateId(gate) for gate in gates))


def plan(*traffics, words=None, **changes):
    gate = replace(spec(words or {"ratio": "http_errors", "dispersion": 1}), **changes)
    return Plan(tuple(stage(traffic) for traffic in traffics), (gate,))


RAMP = plan(Traffic(weight=5), Traffic(weight=25), Traffic(weight=50))


def seen(made, rps, errors, **earlier):
    (one,) = outlooks(made, Load(rps, errors), build, random.Random(7), **earlier)
    return {each.times: each for each in one.seen}


def test_it_agrees_with_the_tables_of_the_documents():
    """docs/gates.md: at 10 requests a second with 0.1 %, x2 in 11 %, x4 in 77 % after 20 min, x10 in all."""
    found = seen(RAMP, 10, 0.001)
    assert found[2].found == pytest.approx(0.11, abs=0.12)
    assert found[4].found == pytest.approx(0.77, abs=0.16)
    assert found[10].found >= 0.95
    assert found[4].minutes == pytest.approx(20, abs=4)


def test_more_traffic_shows_more_and_sooner():
    little, much = seen(RAMP, 10, 0.001), seen(RAMP, 200, 0.005)
    assert all(much[times].found >= little[times].found for times in (2, 4, 10))
    assert much[10].minutes < little[10].minutes


def test_a_release_that_nobody_sees_has_no_minutes():
    assert seen(RAMP, 0.01, 0.001)[10] == Seen(10, 0.0, None)


def test_the_same_chance_says_the_same():
    assert seen(RAMP, 10, 0.001) == seen(RAMP, 10, 0.001)


def test_copies_are_seen_too_and_users_that_rules_pick_are_not():
    assert seen(plan(Traffic(mirror=Mirror(50))), 100, 0.005)[10].found == 1.0
    assert outlooks(plan(Traffic(rules=(BETA,))), Load(100, 0.005), build, random.Random(7)) == ()


def test_gates_that_errors_tell_nothing_of_are_left_out():
    words = {"latency": "http_duration", "above": "250ms"}
    assert outlooks(plan(Traffic(weight=5), words=words), Load(100, 0.005), build, random.Random(7)) == ()


def test_a_gate_that_must_pass_says_how_many_healthy_releases_would():
    def passes(rps):
        (one,) = outlooks(plan(Traffic(weight=50), require=Require.PASS), Load(rps, 0.005), build, random.Random(7))
        return one.passes

    assert passes(1) < 0.2
    assert passes(500) > 0.9
    assert outlooks(RAMP, Load(10, 0.005), build, random.Random(7))[0].passes is None


@given(st.floats(0.0, 300.0))
def test_chance_is_poisson(mean):
    drawn = [outlook._poisson(mean, random.Random(seed)) for seed in range(60)]
    assert abs(np.mean(drawn) - mean) <= 5 * math.sqrt(mean / 60) + 0.3


def test_the_traffic_of_a_release_is_what_both_sides_served_and_copies_are_not_traffic():
    ticks = [tick((1, 50), (10, 950), start=n * 15 * SECOND) for n in range(4)]
    assert load_of(RAMP, ticks) == Load(1000 / 15, 10 / 950)
    assert load_of(plan(Traffic(mirror=Mirror(10))), ticks) == Load(950 / 15, 10 / 950)


def test_ticks_that_say_nothing_of_the_traffic_are_left_out():
    ticks = [tick((1, 50), (10, 950)), tick(complete=False), tick((1, 50), (900, 950), stable_down=True)]
    assert load_of(RAMP, ticks) == Load(1000 / 15, 10 / 950)
    assert load_of(RAMP, []) is None
    assert load_of(RAMP, [tick((1, 50))]) is None
