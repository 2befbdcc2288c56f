"""A level against stable's: the evidence, what breaks it, and that it advises."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from delivery.gates import gauge
from delivery.gates.gate import PATIENCE
from delivery.model.verdict import Verdict
from tests.unit.gates.play import TICK, gate, judged, tick

CPU = {"gauge": "cpu", "worse_than": 1.0, "over": "1m", "warm_up": "0s"}
MEANS = 4  # ticks in one


def levels(own, other, start=0, **changes):
    plain = tick(start=start, **changes)
    return replace(
        plain,
        candidate=replace(plain.candidate, gauges=(("cpu", float(own)),)),
        stable=replace(plain.stable, gauges=(("cpu", float(other)),)),
    )


def played(pairs):
    return [levels(own, other, start=number * TICK) for number, (own, other) in enumerate(pairs)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-3, 9).map(lambda d: round(d, 3)), min_size=3, max_size=40, unique=True))
def test_the_evidence_is_that_of_student_s_statistic(differences):
    """The formula of docs/gates.md with the statistic out of SciPy."""
    t, size = float(ttest_1samp(differences, 0).statistic), len(differences)
    found = gauge.log_evidence(size, sum(differences), sum(d * d for d in differences))
    wide = 1 + size
    wanted = -math.log(wide) / 2 + size / 2 * math.log((size - 1 + t * t) / (size - 1 + t * t / wide))
    assert found == pytest.approx(wanted if t > 0 else 0.0, abs=1e-4)


def fails(made, rng, shift=0.0, memory=0.0, looks=240):
    own, other, pairs = 0.0, 0.0, []
    for _ in range(looks):
        own, other = (memory * old + math.sqrt(1 - memory**2) * rng.normal() for old in (own, other))
        pairs.append((10 + own + shift, 10 + other))
    return judged(made, played(pairs)).verdict is Verdict.FAIL


def test_levels_that_are_alike_fail_within_the_budget_and_higher_ones_are_found():
    rng, made = np.random.default_rng(3), gate(CPU)
    assert sum(fails(made, rng) for _ in range(200)) <= 0.05 * 200
    assert all(fails(made, rng, shift=1.0) for _ in range(20))


def test_levels_that_resemble_the_ones_before_need_longer_means():
    rng = np.random.default_rng(5)
    short, long = gate({**CPU, "over": "1m"}), gate({**CPU, "over": "10m"})
    assert sum(fails(short, rng, memory=0.9) for _ in range(60)) > 0.1 * 60
    assert sum(fails(long, rng, memory=0.9, looks=400) for _ in range(60)) <= 0.1 * 60


def test_a_margin_is_allowed():
    rng = np.random.default_rng(6)
    assert not fails(gate({**CPU, "worse_than": 1.2}), rng, shift=1.0)


def test_it_says_how_much_and_after_how_long():
    pairs = [(12 + number % 3 / 10, 10 + number % 2 / 10) for number in range(60 * MEANS)]
    found = judged(gate(CPU), played(pairs))
    assert found.verdict is Verdict.FAIL
    assert found.detail.startswith("1.2 times stable's: 12.1 against 10.05, in 60 windows of 1m")
    assert found.lasted is not None


def test_warming_up_and_a_stable_that_is_down_count_for_nothing():
    pairs = [(90, 10), (91, 10), (92, 10), (93, 10)] * 20
    cold = gate({**CPU, "warm_up": "30m"})
    assert judged(cold, played(pairs)).detail == "has no whole window of 1m yet"
    down = [replace(each, stable_down=True) for each in played(pairs)]
    assert judged(gate(CPU), down).verdict is Verdict.CONTINUE


def test_a_level_that_never_moves_is_no_measurement():
    assert judged(gate(CPU), played([(12, 10)] * 200)).verdict is Verdict.CONTINUE


def test_a_measure_that_is_not_there_is_no_data_with_its_name():
    found = judged(gate(CPU), [tick((0, 10), (0, 90))] * PATIENCE)
    assert found.verdict is Verdict.NO_DATA
    assert found.detail == "nothing measures cpu: the cluster's metrics have no measures of their own"


def test_it_advises_unless_the_file_says_otherwise():
    assert not gauge.BLOCKS
