"""Every state has a sign of its own, and every sign a word and a shape."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from api.pages.views import badge, hooks
from api.schemas.release import STAGE_STATES
from delivery.model.event import Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.hook import HookRun, HookState, Step, When
from delivery.model.ids import HookId
from delivery.model.verdict import Verdict
from delivery.testing.builders import NOW, a_release

ICONS = (Path(badge.__file__).parents[1] / "templates" / "icons.html").read_text()


def assert_sign(found: badge.Badge) -> None:
    assert found.text
    assert f'name == "{found.icon}"' in ICONS


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_one(phase: Phase) -> None:
    (found,) = badge.badges(a_release(phase))
    assert_sign(found)


@pytest.mark.parametrize("kind", HoldKind)
def test_every_hold_is_seen(kind: HoldKind) -> None:
    _, found = badge.badges(replace(a_release(), holds=(Hold(kind, NOW),)))
    assert_sign(found)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_one(verdict: Verdict) -> None:
    assert_sign(badge.verdict(verdict.value))


def test_every_state_of_a_stage_has_one() -> None:
    for state in re.split(r", | or ", re.sub(r" \(.*?\)", "", STAGE_STATES)):
        assert_sign(badge.stage(state))


@pytest.mark.parametrize("state", HookState)
def test_every_hook_is_told_with_its_point_its_attempt_and_what_it_said(state: HookState) -> None:
    run = HookRun(HookId("smoke"), Step(When.BEFORE, 1), 2, NOW, state=state, detail="HTTP 500")
    (found,) = hooks.shown(replace(a_release(), hooks=(run,)))
    assert_sign(found.badge)
    assert (found.name, found.text) == ("smoke", "before canary 50% (2/2) (attempt 2): HTTP 500")
