"""Where no copy of stable can be made, or told from stable, `baseline: fresh` is refused before a release waits."""

from dataclasses import replace

import pytest

from delivery.catalog.copies import unmade
from delivery.catalog.measured import Measured, missing
from delivery.catalog.workloads import DEPLOYMENT, PROCESS, Runs
from delivery.model.plan import GateSpec
from delivery.model.service import Service
from delivery.model.verdict import Baseline
from delivery.settings.loading import parse as settings
from delivery.wiring import offers, parse

BASICS = {"database": {"url": "sqlite:///x.db"}, "broker": {"url": "redis://127.0.0.1:6379/0"}}
BY_GIT = Runs(frozenset((DEPLOYMENT,)), makes=False)


def service(gate: str, baseline: Baseline | None = Baseline.FRESH) -> Service:
    kinds = {"errors": {"ratio": "http_errors"}, "heap": {"gauge": "heap"}}
    file = {"service": "checkout", "cluster": "prod", "workload": {"process": "checkout"}, "gates": {gate: kinds[gate]}}
    found = parse(file)

    def compared(spec: GateSpec) -> GateSpec:
        return replace(spec, baseline=baseline)

    return replace(found, gates=tuple(map(compared, found.gates)))


def test_only_git_is_written() -> None:
    (said,) = unmade(service("errors"), {"prod": BY_GIT, "other": BY_GIT})
    assert said.place == "gates.errors.baseline"
    assert "only git is written for prod" in said.problem
    for known in ({}, {"prod": Runs(frozenset((PROCESS,)))}):
        assert list(unmade(service("errors"), known)) == []
    assert list(unmade(service("errors", Baseline.PREVIOUS), {"prod": BY_GIT})) == []


@pytest.mark.parametrize(
    ("gate", "mixed", "wrong"),
    [("errors", {""}, True), ("errors", {"heap"}, False), ("heap", {"heap"}, True), ("heap", {""}, False)],
)
def test_metrics_that_do_not_tell_them_apart(gate: str, mixed: set[str], wrong: bool) -> None:
    known = {"prod": Measured(gauges=frozenset(["heap"]), mixed=frozenset(mixed))}
    found = [said.problem for said in missing(service(gate), known)]
    assert found == ["is fresh, and prod's metrics do not tell a copy of stable from stable"] * wrong
    assert list(missing(service(gate, None), known)) == []


def test_where_only_git_is_written_is_known_from_the_configuration() -> None:
    git = {"url": "https://git.example/shop.git", "folder": "prod", "directory": "/var/lib/git"}
    cluster = {"mesh": {"kind": "memory"}, "metrics": {"kind": "memory"}, "workloads": {"kind": "kubernetes"}}
    clusters = {"prod": cluster, "git": {**cluster, "workloads": {"kind": "kubernetes", "git": git}}}
    found = offers(settings({**BASICS, "clusters": clusters}, {}))
    assert {name: runs.makes for name, runs in found.clusters.items()} == {"prod": True, "git": False}
