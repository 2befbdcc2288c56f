"""Several versions of one service: queue, supersede, reject, back, again."""

from tests.scenarios.script import play

CANARY = """
strategies: [{canary: {steps: [5%], bake: 5m}}]
"""
BAKING = """
ci: 1.4.2           | #1 preparing 0% (started)
candidate ready     | #1 shifting 5%
proxies confirm     | #1 baking 5%
"""


def test_the_newest_waits_and_starts_against_what_is_stable_then():
    end = play(
        CANARY,
        BAKING
        + """
        ci: 1.4.3           | #1 baking 5%, #2 waits (queued)
        ci: 1.4.4           | #1 baking 5%, #3 waits (queued)
        ci: 1.4.3 late      | #1 baking 5%, #3 waits (older_event)
        tick                | #1 promoting 100%, #3 waits
        proxies confirm     | #3 preparing 0%
        """,
    )
    bound = end.target.active.bound
    assert bound is not None
    assert bound.stable is not None
    assert (bound.stable.version, bound.candidate.version) == ("1.4.2", "1.4.4")
    assert end.retiring.keys() == {"1.4.1"}


def test_supersede():
    play(
        CANARY + "on_new_version: supersede",
        BAKING
        + """
        ci: 1.4.3           | #1 rolling_back 0%, #2 waits (superseding)
        candidate ready     | #1 rolling_back 0%, #2 waits
        proxies confirm     | #2 preparing 0%
        candidate ready     | #2 shifting 5%
        """,
    )


def test_reject_unless_urgent():
    play(
        CANARY + "on_new_version: reject",
        BAKING
        + """
        ci: 1.4.3           | #1 baking 5% (busy)
        ci: 1.4.4 urgent    | #1 rolling_back 0%, #2 waits (superseding)
        proxies confirm     | #2 preparing 0%
        """,
    )


def test_back_to_stable_by_an_event():
    play(
        CANARY,
        BAKING
        + """
        ci: 1.4.3           | #1 baking 5%, #2 waits (queued)
        ci: 1.4.1           | #1 rolling_back 0% (stable_again)
        ci: 1.4.2 late      | #1 rolling_back 0% (older_event)
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        ci: 1.4.1           | idle on 1.4.1, #1 rolled_back (same_as_stable)
        ci: 1.4.2           | #3 preparing 0% (started)
        """,
    )


def test_a_finished_release_is_rolled_back_at_once():
    end = play(
        CANARY,
        BAKING
        + """
        bob promotes        | #1 promoting 100% (promoted)
        proxies confirm     | idle on 1.4.2, #1 promoted
        ci: 1.4.3           | #2 preparing 0% (started)
        candidate ready     | #2 shifting 5%
        freeze              | #2 shifting 5% [freeze]
        stop                | #2 shifting 5% [freeze,stop]
        bob rolls back #1   | #2 rolling_back 0%, #3 waits (superseding)
        proxies confirm     | #3 preparing 0%
        ci: 1.4.2           | #3 preparing 0% (being_rolled_back)
        candidate ready     | #3 promoting 100%
        proxies confirm     | idle on 1.4.1, #3 promoted
        ci: 1.4.2           | idle on 1.4.1, #3 promoted (rejected_identity)
        bob rolls back #1   | idle on 1.4.1, #3 promoted (refused: conflict)
        bob retries #2      | #4 preparing 0% [freeze,stop] (started)
        """,
    )
    assert end.target.release(4).candidate.version == "1.4.3"


def test_cancelled_before_its_turn():
    play(
        CANARY,
        BAKING
        + """
        ci: 1.4.3           | #1 baking 5%, #2 waits (queued)
        bob approves #2     | #1 baking 5%, #2 waits (refused: conflict)
        bob pauses #2       | #1 baking 5%, #2 waits (paused)
        bob aborts #2       | #1 baking 5% (aborted)
        ci: 1.4.3           | #1 baking 5% (rejected_identity)
        tick                | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )


def test_the_running_version_once_more_outdates_what_waits():
    play(
        CANARY,
        BAKING
        + """
        ci: 1.4.3           | #1 baking 5%, #2 waits (queued)
        ci: 1.4.2           | #1 baking 5% (active_again)
        ci: 1.4.2           | #1 baking 5% (same_as_active)
        """,
    )
