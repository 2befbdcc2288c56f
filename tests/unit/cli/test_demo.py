"""The demo's own judgement: it has to notice what did not come out as it has to."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from delivery.adapters.catalog.yaml_file import read_text
from delivery.sandbox.demo import main
from delivery.sandbox.demo.counts import Counted, Served, counted
from delivery.sandbox.demo.plays import (
    PLAYS,
    Seen,
    Unexpected,
    faults,
    look_bad,
    look_dark,
    look_switched,
    look_variants,
)
from delivery.sandbox.demo.run import service_file
from delivery.sandbox.demo.show import Row, Show, path
from delivery.sandbox.errors import CannotStart, Stopped
from delivery.strategies.plan import compile_plan
from delivery.wiring import parse


def stage(name: str, desired: int = 0, entered: bool = True, **more: object) -> dict[str, object]:
    entered_at = "2026-11-24T10:02:11.000Z" if entered else None
    return {
        "name": name,
        "entered_at": entered_at,
        "split": {"desired": desired},
        "approvals": [],
        "analysis": [],
        **more,
    }


def seen(*stages: dict[str, object], **changes: object) -> Seen:
    release = {
        "from": {"version": "1.4.1"},
        "to": {"version": "1.4.2"},
        "state": "promoted",
        "created_at": "2026-11-24T10:02:11.000Z",
        "finished_at": "2026-11-24T10:03:21.400Z",
        "stages": list(stages),
        "promotion": stage("promotion", 100),
        "exposure": {"requests": 812},
        "cause": {"type": "completed", "text": "every stage passed"},
        "reverted_in": None,
    }
    served = Counted({"1.4.1": Served(900, 9), "1.4.2": Served(100, 1, 1)})
    return Seen({**release, **changes}, (), served, Counted())


def tick(number: int, candidate: int, stable: int) -> dict[str, object]:
    return {
        "stage": number,
        "candidate": {"requests": candidate, "errors": 1},
        "stable": {"requests": stable, "errors": 2},
    }


@pytest.mark.parametrize("play", PLAYS, ids=[play.file + play.version for play in PLAYS])
def test_the_service_files_are_good(play):
    plan = compile_plan(parse(read_text(service_file(play.file))))
    assert (play.asks is not None) == (plan.promotion is not None or any(one.approval for one in plan.stages))


def test_only_the_bad_version_has_ten_times_the_errors():
    assert [fault for fault in faults() if not fault.endswith("fail-every=100")] == ["1.4.3:fail-every=10"]


def test_counts_are_taken_from_the_load_and_subtracted():
    document = {
        "versions": {"1.4.1": {"requests": 10, "errors": 2, "users_with_errors": 1}},
        "failed_by_switching": 3,
        "failed": {"503 no healthy upstream": 3},
        "skipped": 0,
    }
    now = counted(document)
    assert (now.requests, now.failed, now.why) == (13, 3, ("503 no healthy upstream",))
    since = now.since(Counted({"1.4.1": Served(4, 1, 1)}, failed=3))
    assert since.of("1.4.1") == Served(6, 1, 1)
    assert (since.failed, since.why) == (0, ())


def test_the_path_names_the_stages_that_were_entered():
    assert path(seen(stage("canary 1%", 1), stage("canary 5%", 5, entered=False)).release) == "1·100"
    assert path(seen(stage("dark_launch 30%"), stage("canary 25%", 25)).release) == "mirror·25·100"
    assert path(seen(stage("blue_green preview"), stage("blue_green switch", 100)).release) == "preview·100"
    back = seen(stage("ab_test"), promotion=stage("promotion", 100, entered=False))
    assert path(back.release) == "x-beta"


def test_a_rollback_for_another_reason_or_without_users_is_not_as_expected():
    failed = stage("canary 5%", 5, analysis=[{"verdict": "fail", "ratio": 9.6, "interval": [6.0, 15.0]}])
    back = seen(failed, state="rolled_back", cause={"type": "gate_failed", "text": ""}, reverted_in="0.2s")
    assert look_bad(back) == "errors 9.6x (6.0 to 15), back in 0.2s; 1 users met one"
    with pytest.raises(Unexpected, match="aborted by bob"):
        look_bad(replace(back, release={**back.release, "cause": {"type": "aborted", "text": "aborted by bob"}}))
    with pytest.raises(Unexpected, match="the load saw none"):
        look_bad(replace(back, counted=Counted()))


def test_a_mirror_that_reaches_a_client_is_not_as_expected():
    dark = replace(seen(stage("dark_launch 30%"), stage("canary 25%", 25)), ticks=[tick(0, 60, 200), tick(1, 9, 9)])
    assert look_dark(dark) == "60 mirrored, none of them reached a client"
    with pytest.raises(Unexpected, match="1 did"):
        look_dark(replace(dark, before=Counted({"1.4.2": Served(1)})))
    with pytest.raises(Unexpected, match="0 were"):
        look_dark(replace(dark, ticks=[]))


def test_an_approval_has_to_come_from_somebody_else_and_both_variants_to_be_measured():
    by_bob = stage("promotion", 100, approvals=[{"actor": "bob"}])
    asked = replace(seen(stage("ab_test"), promotion=by_bob), ticks=[tick(0, 100, 300)], refused="alice started it")
    assert look_variants(asked) == "errors a 0.7 % of 300, b 1.0 % of 100; approved by bob"
    with pytest.raises(Unexpected, match="nobody was"):
        look_variants(replace(asked, refused=""))
    with pytest.raises(Unexpected, match="both variants"):
        look_variants(replace(asked, ticks=[]))
    with pytest.raises(Unexpected, match="alice"):
        look_switched(replace(seen(stage("blue_green switch", 100, approvals=[{"actor": "alice"}])), refused="no"))


def test_one_line_for_each_release():
    out = io.StringIO()
    Show(Console(file=out, width=200)).table([Row(1, PLAYS[0], seen(stage("canary 1%", 1)), "812 measured")])
    line = out.getvalue().splitlines()[2]
    assert line.startswith("1  canary")
    for part in ("1·100", "promoted", "1:10", "900 / 100", "9 / 1", "812 measured"):
        assert part in line


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Unexpected("expected it to be promoted; but it is rolled back"), 1, "expected it to be promoted"),
        (CannotStart("Envoy has no wheel for musl (Alpine)."), 1, "no wheel for musl"),
        (Stopped("stopped"), 130, "stopped"),
        (None, 0, ""),
    ],
)
def test_exit_codes(monkeypatch, error, code, says):
    @contextlib.asynccontextmanager
    async def running(*_: object) -> AsyncIterator[SimpleNamespace]:
        async def during(work: Coroutine[object, object, None]) -> None:
            work.close()
            await asyncio.sleep(0)
            if error is not None:
                raise error

        yield SimpleNamespace(supervisor=SimpleNamespace(during=during))

    monkeypatch.setattr(main, "running", running)
    out = io.StringIO()
    assert main.demo(Console(file=out, width=200)) == code
    assert says in out.getvalue()
