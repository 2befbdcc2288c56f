"""The benchmark of gates: what it calls a peer does what it says, chance is seeded, and a broken promise is its end."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gates import __main__ as bench
from benchmarks.gates import judges, traffic
from benchmarks.gates.cell import Cell, judged
from benchmarks.gates.judges import ERRORS, Ours
from benchmarks.gates.traffic import MINUTES, Served, Setting, generator, play

BASE = Setting()


def served(x, n, y=10, m=1425, looks=30 * MINUTES):
    """The same in every look; `x` may be a list, one a minute."""
    bad = np.repeat(x, MINUTES)[:looks] if isinstance(x, list) else np.full(looks, x)
    return Served(np.zeros(looks, int), bad, np.full(looks, n), np.full(looks, y), np.full(looks, m))


def test_breaches_of_a_minute_are_counted_for_ever():
    once_in_five = served([2, 0, 0, 0, 0] * 6, 75)
    assert judges.minutes(0)(once_in_five, BASE) == MINUTES
    assert judges.minutes(1)(once_in_five, BASE) == 6 * MINUTES
    assert judges.minutes(4)(once_in_five, BASE) == 21 * MINUTES
    assert judges.minutes(6)(once_in_five, BASE) is None
    assert judges.minutes(0)(served(0, 0), BASE) is None, "no requests are no breach"


def test_mann_and_whitney_look_every_five_minutes_and_kayenta_in_both_directions():
    chance = np.random.default_rng(1)
    noisy = replace(served(3, 75), y=chance.binomial(1425, 0.005, 120), x=chance.binomial(75, 0.04, 120))
    assert judges.kayenta(noisy, BASE) == judges.pipecd(noisy, BASE) == 5 * MINUTES
    better = replace(noisy, x=np.zeros(120, int), y=chance.binomial(1425, 0.05, 120))
    assert judges.kayenta(better, BASE) == 5 * MINUTES
    assert judges.pipecd(better, BASE) is None


def test_a_z_test_looks_at_every_look():
    assert judges.every_look(served(10, 75), BASE) == 1
    assert judges.every_look(served(0, 75), BASE) is None


def test_what_is_simulated_depends_on_its_name_alone():
    one, same, other = (play(BASE, generator(name, 3)) for name in ("a", "a", "b"))
    assert (one.x == same.x).all()
    assert (one.x != other.x).any()


def test_bursts_and_incidents_are_what_they_are_called():
    burst = play(replace(BASE, burst=5, rps=10_000), generator("burst"))
    assert set(burst.y % 5) == {0}
    shared = play(replace(BASE, both=traffic.incident, rps=10_000), generator("incident"))
    rate = shared.y / shared.m
    assert rate[13 * MINUTES : 16 * MINUTES].mean() == pytest.approx(10 * rate[: 10 * MINUTES].mean(), rel=0.05)


def test_a_cell_counts_what_users_got_until_then():
    cell = judged({"ours": Ours(ERRORS, knows=False)}, replace(BASE, times=40.0), 5, "x40")["ours"]
    assert (cell.share, cell.median) == (1.0, 0.25)
    assert all(bad < 40 for bad in cell.bad)


def test_a_share_above_the_promise_is_one_only_beyond_doubt():
    assert Cell(400, (1.0,) * 26, (0,) * 400).within(0.05)
    assert not Cell(400, (1.0,) * 40, (0,) * 400).within(0.05)


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    return bench.main()


def test_it_prints_a_table_and_writes_json_with_the_command(monkeypatch, tmp_path, capsys):
    path = tmp_path / "cold.json"
    assert run(monkeypatch, "cold", "--runs", "2", "--json", str(path)) == 0
    written = json.loads(path.read_text())
    assert written["command"].startswith("python -m benchmarks.gates cold --runs 2")
    assert written["tables"][0]["cells"]["x10"]["warm_up: 3m"]["runs"] == 2
    assert "| every request fails |" in capsys.readouterr().out


def test_a_promise_that_is_broken_ends_it_with_1(monkeypatch, capsys):
    monkeypatch.setattr(judges.Ours, "__call__", lambda self, served, setting: 1)
    assert run(monkeypatch, "cold", "--runs", "20") == 1
    assert "MISSED" in capsys.readouterr().out
