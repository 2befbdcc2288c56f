"""`explain`: why it is where it is, what it waits for, until when, and who can change it."""

from dataclasses import dataclass, replace

import pytest

from delivery.model.context import Context
from delivery.model.event import Cause, CauseKind, Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import MINUTE, Micros, Principal, ReleaseId
from delivery.model.plan import Approval, Plan, Then
from delivery.model.release import Bound
from delivery.wording.explain import Near, explain
from delivery.wording.units import THIN
from tests.unit.wording.builders import CANDIDATE, ERRORS, NOW, PLAN, release


@dataclass(frozen=True)
class Due:
    at: Micros | None
    why: str


LATER = Due(Micros(NOW + 10 * MINUTE), "its next measurement")
CONTEXT = Context(Micros(NOW + 9 * MINUTE))


def told(*args):
    return explain(*args).text().replace(THIN, " ")


def test_a_bake_says_what_it_measures_until_when_and_who_decides():
    baking = release(stage=0, verdicts={ERRORS.gate: ERRORS})
    assert told(baking, CONTEXT, LATER) == (
        "Canary 1% (1/4) was entered at 2026-11-24 10:08:11 UTC: the candidate gets 1 % of requests. "
        "It is to be measured for 5m and at least 50 requests. "
        "Errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950. "
        "It waits for its next measurement. "
        "It is looked at again by 2026-11-24 10:12:11 UTC at the latest. "
        "An approver can pause or abort it, an operator can promote it past the stages that are left."
    )


def test_a_stage_that_waits_for_people_alone_is_not_measured_for_no_time():
    stage = replace(PLAN.stages[0], bake=Micros(0), min_requests=0)
    waiting = release(stage=0, plan=replace(PLAN, stages=(stage, *PLAN.stages[1:])), verdicts={})
    assert "measured" not in " ".join(explain(waiting, CONTEXT, LATER).why)


def test_an_approval_ahead_names_the_group_and_who_cannot():
    who = explain(release(), CONTEXT, LATER).who
    assert who[0] == "canary 25% (3/4) needs 1 of sre, not alice, who started it"


def test_what_only_people_can_end_is_what_it_waits_for():
    held = release(holds=(Hold(HoldKind.APPROVAL, NOW, ""), Hold(HoldKind.PAUSE, NOW, "", Principal("bob"))))
    assert explain(held, CONTEXT, LATER).waits_for == (
        "somebody to resume it",
        "an approval: canary 25% (3/4) needs 1 of sre, not alice, who started it",
    )
    back = release(phase=Phase.ROLLING_BACK, holds=held.holds)
    assert explain(back, CONTEXT, Due(None, "the proxies' confirmation")).waits_for == ("the proxies' confirmation",)


def test_a_chain_that_asks_at_its_end_says_so():
    asking = release(plan=Plan(PLAN.stages[:2], then=Then.ASK, promotion=Approval()))
    assert explain(asking, CONTEXT, LATER).who[0].replace(THIN, " ") == (
        "100 % needs 1 approver, not alice, who started it"
    )


@pytest.mark.parametrize("free", [{"rolls_back": ReleaseId("rel_00")}, {"bound": Bound(None, CANDIDATE)}])
def test_a_rollback_and_a_first_version_ask_nobody(free):
    assert [one for one in explain(release(**free), CONTEXT, LATER).who if "needs" in one] == []


def test_every_reason_not_to_rise_comes_with_its_end():
    holds = (
        Hold(HoldKind.PAUSE, NOW, "lunch", Principal("bob")),
        Hold(HoldKind.NO_DATA, NOW),
        Hold(HoldKind.FREEZE, NOW, "weekend", until=Micros(NOW + 60 * MINUTE)),
        Hold(HoldKind.STOP, NOW, "incident 7", Principal("carol")),
    )
    result = explain(release(holds=holds, stage=0), CONTEXT, Due(None, "a person"))
    assert result.until is None
    assert result.why[-4:] == (
        "it may not rise: paused by bob: lunch",
        "it may not rise: there are no measurements",
        "it may not rise: a freeze window is open: weekend (until 2026-11-24 11:02:11 UTC)",
        "it may not rise: raises are stopped by carol: incident 7",
    )
    assert [sentence.split(",")[0] for sentence in result.who] == [
        "an operator can resume it",
        "it ends when measurements come",
        "it ends with the window",
        "an operator can lift the stop",
        "an approver can pause or abort it",
    ]


@pytest.mark.parametrize(
    ("phase", "begins"),
    [
        (Phase.QUEUED, "It is queued"),
        (Phase.PREPARING, "Its workload is being prepared"),
        (Phase.SHIFTING, "Canary 5% (2/4) was entered"),
        (Phase.PROMOTING, "Every stage is behind it"),
        (Phase.ROLLING_BACK, "It is going back to stable: aborted by bob"),
    ],
)
def test_each_open_phase_has_its_reason(phase, begins):
    here = release(phase=phase, cause=Cause(CauseKind.ABORTED, Principal("bob")))
    assert told(here, CONTEXT, LATER).startswith(begins)


def test_nobody_can_stop_a_revert():
    assert explain(release(phase=Phase.ROLLING_BACK), CONTEXT, LATER).who == (
        "nobody can stop a revert; a later retry is a new release",
    )


def test_a_revert_that_cannot_go_anywhere_says_why():
    assert (
        "stable has no ready instance: traffic stays"
        in explain(release(phase=Phase.ROLLING_BACK, stay=True), CONTEXT, LATER).why[1]
    )


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.closed])
def test_a_closed_release_waits_for_nothing_and_says_what_comes_after(phase):
    ended = release(phase=phase, cause=Cause(CauseKind.GATE_FAILED, judgement=ERRORS), finished_at=NOW + 2 * MINUTE)
    result = explain(ended, CONTEXT, Due(None, ""))
    assert (result.waits_for, result.until) == ((), None)
    assert "at 2026-11-24 10:04:11 UTC, after 2m: errors 3.1 times" in result.why[0]
    assert result.why[0].startswith("1.4.2 failed to start" if phase is Phase.FAILED_TO_START else "1.4.2 was ")
    assert ("roll it back" if phase is Phase.PROMOTED else "retry") in result.who[0]


@pytest.mark.parametrize("phase", [Phase.SHIFTING, Phase.PROMOTING, Phase.ROLLING_BACK])
def test_a_mesh_that_is_away_is_told_in_every_phase(phase):
    failing = release(phase=phase, stage=0, mesh_failing=True, mesh_trouble="connection refused")
    away = explain(failing, CONTEXT, LATER)
    assert "the mesh cannot be reached; traffic stays as it is: connection refused" in away.why


def test_routes_in_a_persons_hand_come_first_because_a_revert_waits_for_them_too():
    stop = (Hold(HoldKind.STOP, NOW, "by hand", Principal("alice")),)
    result = explain(release(phase=Phase.ROLLING_BACK, holds=stop), CONTEXT, LATER, Near("alice: by hand"))
    assert result.why[0] == "nothing is written to its routes, reverts neither: alice: by hand"
    assert (result.waits_for, result.until) == (("its routes to be given back",), None)
    assert result.who[0] == "a resume of the whole service gives the routes back, or whoever paused them in the mesh"
    assert not any("stop" in one for one in result.why + result.who if "nobody" not in one)
