"""Hooks put to the points of a plan, and told in words before anything happens."""

from dataclasses import replace

import pytest

from delivery.model.codec import canon, from_plain, to_plain
from delivery.model.hook import HookSpec, OnFailure, Step, When
from delivery.model.ids import MINUTE, HookId, Micros
from delivery.model.mistake import Invalid
from delivery.model.plan import Plan
from delivery.model.service import Hook
from delivery.strategies.plan import compile_plan
from delivery.wording.hook import describe
from delivery.wording.plan import describe as lines
from tests.unit.strategies.test_plan import service

MIGRATE, SMOKE, TELL = HookId("migrate"), HookId("smoke"), HookId("tell")
HTTP = {"host": "platform", "path": "/x"}


def a_hook(name: HookId = MIGRATE, **changes: object) -> Hook:
    return replace(Hook(name, "http", HTTP), **changes)  # type: ignore[arg-type]


def plan(*hooks: Hook, smoke: str | None = None) -> Plan:
    switch: dict[str, object] = {"gates": []} | ({"smoke": {"hook": smoke}} if smoke else {})
    made = service({"canary": {"steps": ["5%", "25%"]}}, {"blue_green": switch})
    return compile_plan(replace(made, hooks=hooks))


def refused(*hooks: Hook, smoke: str | None = None) -> list[str]:
    with pytest.raises(Invalid) as caught:
        plan(*hooks, smoke=smoke)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_each_point_has_its_step() -> None:
    made = plan(
        a_hook(before=("start", "traffic", "canary 25%", "promotion")),
        a_hook(SMOKE, kind="job", params={"template": "t"}, retries=2, on_failure=OnFailure.ASK, during=("canary 5%",)),
        a_hook(TELL, after=(When.PROMOTED, When.REVERTED)),
    )
    steps = (Step(When.START), Step(When.TRAFFIC), Step(When.BEFORE, 1), Step(When.PROMOTION))
    assert made.hooks == (
        HookSpec(MIGRATE, "http", HTTP, steps),
        HookSpec(SMOKE, "job", {"template": "t"}, (), Micros(5 * MINUTE), 2, OnFailure.ASK),
        HookSpec(TELL, "http", HTTP, (Step(When.PROMOTED), Step(When.REVERTED))),
    )
    assert [stage.hooks for stage in made.stages] == [(SMOKE,), (), (), ()]
    assert from_plain(Plan, to_plain(made)) == made
    assert canon(from_plain(Plan, to_plain(made))) == canon(made)


def test_the_smoke_test_runs_during_the_preview() -> None:
    made = plan(a_hook(SMOKE), smoke="smoke")
    assert [(stage.name, stage.hooks) for stage in made.stages[2:]] == [
        ("blue_green preview", (SMOKE,)),
        ("blue_green switch", ()),
    ]
    assert made.hooks_at(Step(When.DURING, 2)) == made.hooks


def test_one_that_is_named_twice_runs_once_there() -> None:
    made = plan(
        a_hook(SMOKE, during=("blue_green preview", "blue_green preview"), before=("start", "start")), smoke="smoke"
    )
    assert made.stages[2].hooks == (SMOKE,)
    assert made.hooks[0].steps == (Step(When.START),)


def test_mistakes() -> None:
    stages = "canary 5%, canary 25%, blue_green preview, blue_green switch"
    assert refused(a_hook(before=("canary 7%",))) == [
        "hooks.migrate.before names canary 7%, which is unknown, did you mean canary 5%?; "
        f"expected one of start, traffic, promotion, {stages}"
    ]
    assert refused(a_hook(during=("start",))) == [
        f"hooks.migrate.during names start, which is unknown; expected one of {stages}"
    ]
    assert refused(a_hook()) == [
        "hooks.migrate is never run; expected before, during or after, or a strategy that names it, such as "
        "blue_green: {smoke: {hook: ...}}"
    ]
    assert refused(smoke="smoke") == [
        "strategies[1].blue_green.smoke.hook names smoke, which is unknown; expected a section hooks that has smoke"
    ]
    assert refused(a_hook(before=("start",)), smoke="migrat") == [
        "strategies[1].blue_green.smoke.hook names migrat, which is unknown, did you mean migrate?; expected migrate"
    ]


def test_words() -> None:
    made = plan(
        a_hook(before=("start", "canary 25%"), retries=2),
        a_hook(SMOKE, kind="job", params={"template": "checkout-smoke"}, on_failure=OnFailure.ASK),
        a_hook(TELL, after=(When.PROMOTED,)),
        smoke="smoke",
    )
    assert [describe(spec, made) for spec in made.hooks] == [
        "hook migrate (platform/x): before anything of the candidate is started and before canary 25% (2/4); "
        "at most 5m, 3 attempts; a failure takes the release back",
        "hook smoke (Job of checkout-smoke): during blue_green preview (3/4); at most 5m; a failure asks people",
        "hook tell (platform/x): once everybody has the candidate; at most 5m; a failure is told",
    ]
    assert lines(made)[2].endswith("until hook smoke has succeeded")
