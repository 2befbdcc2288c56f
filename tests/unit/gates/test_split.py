"""Sample ratio mismatch: the evidence against SciPy, and when it is said and taken back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.stats import betabinom, binom

from delivery.gates import split
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, CookieMatch, Match, Mirror, Rule, Sticky, Traffic

shares = st.floats(0.01, 0.99)


@given(st.integers(0, 500), st.integers(0, 5000), shares)
def test_the_evidence_is_beta_binomial_against_binomial(n, m, w):
    wanted = betabinom.logpmf(n, n + m, 200 * w, 200 * (1 - w)) - binom.logpmf(n, n + m, w)
    assert split.log_bayes_factor(n, m, w) == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), shares)
def test_it_expects_1_while_the_split_is_as_configured(total, w):
    grown = sum(binom.pmf(n, total, w) * math.exp(split.log_bayes_factor(n, total - n, w)) for n in range(total + 1))
    assert grown == pytest.approx(1, abs=1e-6)


def test_it_agrees_with_scipy_after_a_million_requests():
    wanted = betaln(10 + 50_400, 190 + 949_600) - betaln(10, 190) - 50_400 * math.log(0.05) - 949_600 * math.log(0.95)
    assert split.log_bayes_factor(50_400, 949_600, 0.05) == pytest.approx(wanted, rel=1e-9)


def played(ticks, w, state=None):
    state = split.start() if state is None else state
    for n, m in ticks:
        state = split.add(state, n, m, w)
    return state


def test_requests_that_are_divided_otherwise_are_told_within_few_ticks():
    state = played([(180, 1320)] * 3, 0.05)
    assert split.told(state, 0.05) == "the candidate got 12 % of 1500 requests, and was to get 5 %"


@pytest.mark.parametrize("w", [0.01, 0.05, 0.5])
def test_a_split_as_configured_is_never_told_in_a_thousand_stages(w):
    rng, told = np.random.default_rng(11), 0
    for _ in range(1000):
        state = split.start()
        for total in rng.poisson(200, 40):
            n = int(rng.binomial(total, w))
            state = split.add(state, n, int(total) - n, w)
            if state["off"]:
                told += 1
                break
    assert told <= 2


def test_what_is_off_by_next_to_nothing_is_not_told_however_certain():
    exactly = played([(5_200_000, 94_800_000)] * 10, 0.05)
    assert split.log_bayes_factor(exactly["n"], exactly["m"], 0.05) > 100
    assert split.told(exactly, 0.05) == ""


def test_it_is_over_when_the_split_is_right_again_and_not_before():
    off = played([(180, 1320)] * 3, 0.05)
    assert split.told(played([(180, 1320)] * 40, 0.05, off), 0.05)
    assert split.told(played([(75, 1425)] * 2, 0.05, off), 0.05), "two ticks show nothing yet"
    assert split.told(played([(75, 1425)] * 40, 0.05, off), 0.05) == ""


def test_ends_of_requests_of_the_split_before_are_not_held_against_it():
    assert split.told(played([(2, 3998), (1000, 3000)], 0.25), 0.25) == ""


def test_only_a_plain_split_is_known_beforehand():
    rule = Rule("beta", (Match(cookies=(CookieMatch("group", "b"),)),))
    assert split.expected(Traffic(weight=5)) == 0.05
    for unknown in (
        ALL_STABLE, ALL_CANDIDATE, Traffic(weight=5, rules=(rule,)), Traffic(mirror=Mirror(10)),
        Traffic(weight=5, sticky=Sticky("rel")),
    ):  # fmt: skip
        assert split.expected(unknown) is None
