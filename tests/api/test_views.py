"""What a release's events are shown as, where the engine seldom leads."""

from api.views.release import detail
from api.views.stages import stages
from delivery.model import event as events
from delivery.model.event import Cause, CauseKind, Event, Level, Phase
from delivery.model.ids import SECOND
from delivery.model.shares import Shares
from delivery.model.signal import Abort, StableReady, StableUnready
from delivery.testing.builders import BOB, NOW, a_release, a_story_in

BASE = "https://delivery.example.org"


def numbered(story_events: list[Event]) -> list[tuple[int, Event]]:
    return list(enumerate(story_events, 1))


def test_a_revert_that_had_to_wait_for_stable_is_timed_from_its_decision():
    story = a_story_in(Phase.BAKING)
    story.tell(StableUnready("no instance")).tell(Abort(BOB))
    decided = story.context.now
    story.tell(StableReady(), after=60 * SECOND)
    story.confirm()
    assert story.said.count("RollbackBegun") == 2
    shown = detail(BASE, story.release, numbered(story.events), Shares(), None, ("retry",))
    assert shown.reverted_in == "1m1s"
    assert story.context.now - decided == 61 * SECOND


def test_a_confirmation_of_other_traffic_says_nothing_of_the_stage():
    story = a_story_in(Phase.SHIFTING)
    stray = events.TrafficConfirmed(at=NOW, dseq=story.release.dseq - 1, level=Level.ACKED)
    shown, _ = stages(story.release, numbered([*story.events, stray]), Shares())
    assert (shown[0].state, shown[0].split.confirmed) == ("shifting", None)


def test_a_stage_that_an_alert_stopped_has_failed_and_one_that_was_superseded_has_not():
    for kind, state in ((CauseKind.ALERT, "failed"), (CauseKind.SUPERSEDED, "stopped")):
        story = a_story_in(Phase.BAKING)
        begun = events.RollbackBegun(at=NOW, cause=Cause(kind), then=Phase.ROLLED_BACK)
        shown, promotion = stages(story.release, numbered([*story.events, begun]), Shares())
        assert (shown[0].state, promotion.state) == (state, "pending")


def test_every_phase_can_be_shown():
    for phase in Phase:
        story = a_story_in(phase)
        shown = detail(BASE, story.release, numbered(story.events), Shares(), None, ())
        assert shown.finished_at is None or story.release.phase.closed
        assert len(shown.stages) == len(a_release(phase).plan.stages)


def test_links_lead_to_the_run_and_to_the_release_that_this_one_is_about():
    story = a_story_in(Phase.BAKING, retry_of="rel_0", origin={"run_url": "https://ci.example.org/912"})
    links = detail(BASE, story.release, numbered(story.events), Shares(), None, ()).links
    assert links["run"] == "https://ci.example.org/912"
    assert links["retry_of"] == f"{BASE}/v1/releases/rel_0"
