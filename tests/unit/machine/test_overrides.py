"""To raise exposure while a hold is on may take people: how many, of which group, never who started the release."""

from dataclasses import replace

import pytest

from delivery.machine.actions import allowed
from delivery.machine.refusal import Refusal
from delivery.model import signal as s
from delivery.model.context import Freeze
from delivery.model.event import HoldLifted, OverrideApproved, Phase
from delivery.model.hold import HoldKind
from delivery.model.ids import HOUR, MINUTE, Micros
from delivery.testing.builders import ALICE, BOB, CAROL, NOW, Story, a_plan, a_story_in, an_approval

SRE = ("sre",)
TWO = an_approval(2, group="sre", expires=Micros(HOUR))
ONE = an_approval(1, expires=None)
WEEKEND = Freeze("weekend", NOW, Micros(NOW + 60 * HOUR))


def frozen(override=TWO) -> Story:
    """The first stage is over, and a freeze keeps the next one away."""
    return a_story_in(Phase.BAKING, plan=a_plan(override=override)).where(freeze=WEEKEND).tick()


def lift(who, *kinds, groups=SRE, reason="hotfix", **more) -> s.Resume:
    return s.Resume(who, reason, groups=groups, holds=kinds or (HoldKind.FREEZE,), **more)


def refused(story: Story, signal: s.Signal) -> Refusal:
    before = story.release
    with pytest.raises(Refusal) as caught:
        story.tell(signal)
    assert story.release == before
    return caught.value


def test_enough_distinct_people_of_the_group_lift_it():
    story = frozen().tell(lift(BOB, via="slack"))
    assert (story.release.held(HoldKind.FREEZE), story.release.stage) == (True, 0)
    story.tell(lift(CAROL, via="cli"))
    assert (story.release.held(HoldKind.FREEZE), story.release.stage) == (False, 1)
    votes = [event for event in story.events if isinstance(event, OverrideApproved)]
    assert [(vote.kind, vote.actor, vote.reason, vote.via) for vote in votes] == [
        (HoldKind.FREEZE, BOB, "hotfix", "slack"),
        (HoldKind.FREEZE, CAROL, "hotfix", "cli"),
    ]
    (lifted,) = [event for event in story.events if isinstance(event, HoldLifted)]
    assert (lifted.by, lifted.via) == (CAROL, "cli")


def test_the_initiator_is_none_of_them():
    assert refused(frozen(), lift(ALICE)).kind == "forbidden"


def test_nor_somebody_outside_the_group_nor_one_person_twice():
    story = frozen()
    assert "sre" in refused(story, lift(BOB, groups=("web",))).text
    story.tell(lift(BOB))
    assert "already" in refused(story, lift(BOB, via="slack")).text


def test_a_word_counts_as_long_as_it_may():
    story = frozen().tell(lift(BOB)).where(now=Micros(NOW + 2 * HOUR))
    story.tell(lift(CAROL))
    assert story.release.held(HoldKind.FREEZE)
    assert not story.tell(lift(BOB)).release.held(HoldKind.FREEZE)


def test_without_the_rule_whoever_may_resume_lifts_it_alone():
    assert not frozen(None).tell(lift(ALICE, groups=())).release.held(HoldKind.FREEZE)


def test_a_pause_is_ended_alone_by_who_placed_it_only():
    story = a_story_in(Phase.BAKING, plan=a_plan(override=ONE)).tell(s.Pause(ALICE))
    assert story.tell(lift(ALICE, HoldKind.PAUSE)).release.holds == ()
    story.tell(s.Pause(BOB))
    assert refused(story, lift(ALICE, HoldKind.PAUSE)).kind == "forbidden"
    assert story.tell(lift(CAROL, HoldKind.PAUSE)).release.holds == ()


def test_a_hold_that_comes_again_asks_again():
    story = frozen().tell(lift(BOB)).where(freeze=None).tell(s.Due())
    later = replace(WEEKEND, start=Micros(NOW + MINUTE))
    story = a_story_in(Phase.BAKING, plan=a_plan(override=TWO)).where(freeze=WEEKEND).tell(s.Due(), lift(BOB))
    story.where(freeze=None).tell(s.Due()).where(freeze=later).tell(s.Due())
    assert story.tell(lift(CAROL)).release.held(HoldKind.FREEZE)


def test_promoting_past_a_hold_takes_the_same_people():
    story = a_story_in(Phase.BAKING, plan=a_plan(override=ONE)).tell(s.Pause(BOB))
    refusal = refused(story, s.PromoteNow(ALICE))
    assert "needs 1 approver" in refusal.text
    story.tell(lift(CAROL, HoldKind.PAUSE), s.PromoteNow(ALICE))
    assert story.release.phase is Phase.PROMOTING


def test_a_revert_asks_nobody():
    story = frozen().tell(s.Abort(ALICE))
    story.tell(s.Unconfirmed(story.release.dseq, ("gateway-1",)))
    assert story.release.held(HoldKind.STRAGGLERS)
    assert not story.tell(lift(ALICE, HoldKind.STRAGGLERS, groups=())).release.held(HoldKind.STRAGGLERS)


def test_that_somebody_could_is_said():
    story = frozen()
    assert "resume" in allowed(story.release, story.context)
