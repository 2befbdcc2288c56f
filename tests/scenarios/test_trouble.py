"""Holds, people and a world in trouble, over whole releases."""

from tests.scenarios.script import play

CANARY = """
strategies: [{canary: {steps: [5%, 50%], bake: 5m}}]
policy: {low_traffic: hold, no_data: {hold: 10m, then: ask}, abort_on: [{alert: CheckoutErrors}]}
"""
BAKING = """
ci: 1.4.2               | #1 preparing 0% (started)
candidate ready         | #1 shifting 5%
proxies confirm         | #1 baking 5%
"""


def test_a_freeze_a_pause_and_a_stop_are_one_set():
    play(
        CANARY,
        BAKING
        + """
        freeze                  | #1 baking 5% [freeze]
        bob pauses              | #1 baking 5% [freeze,pause] (paused)
        tick                    | #1 baking 5% [freeze,pause]
        stop                    | #1 baking 5% [freeze,pause,stop]
        bob resumes pause       | #1 baking 5% [freeze,stop] (resumed)
        bob resumes stop        | #1 baking 5% [freeze,stop] (refused: conflict)
        bob promotes            | #1 baking 5% [freeze,stop] (refused: conflict)
        go on                   | #1 baking 5% [freeze]
        bob resumes freeze      | #1 baking 5% [freeze] (refused: needs_reason)
        bob resumes freeze because hotfix for 7 | #1 shifting 50% (resumed)
        proxies confirm         | #1 baking 50%
        tick                    | #1 promoting 100%
        """,
    )


def test_a_revert_never_looks_at_holds():
    play(
        CANARY,
        BAKING
        + """
        bob pauses              | #1 baking 5% [pause] (paused)
        freeze                  | #1 baking 5% [pause,freeze]
        stop                    | #1 baking 5% [pause,freeze,stop]
        carol aborts            | #1 rolling_back 0% (aborted)
        proxies confirm         | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_too_little_traffic_at_night():
    play(
        CANARY,
        BAKING
        + """
        tick 3 requests         | #1 baking 5%
        wait 20m                | #1 baking 5%
        tick 4 requests         | #1 baking 5% [low_traffic]
        wait 11m                | #1 baking 5% [low_traffic]
        bob resumes low_traffic | #1 baking 5% (resumed)
        tick 4 requests         | #1 shifting 50%
        """,
    )


def test_a_small_service_goes_on_by_default_where_nothing_failed():
    play(
        "strategies: [{canary: {steps: [5%, 50%], bake: 5m}}]",
        BAKING
        + """
        tick 3 requests         | #1 baking 5%
        wait 20m                | #1 baking 5%
        tick 4 requests         | #1 shifting 50%
        """,
    )


def test_metrics_are_gone_for_a_while():
    play(
        CANARY,
        BAKING
        + """
        tick early no_data      | #1 baking 5% [no_data]
        wait 5m                 | #1 baking 5% [no_data]
        tick no_data            | #1 baking 5% [no_data]
        tick                    | #1 shifting 50%
        """,
    )


def test_metrics_are_gone_for_good_and_the_service_says_to_go_back():
    play(
        """
        strategies: [{canary: {steps: [5%], bake: 5m}}]
        policy: {no_data: {hold: 10m, then: revert}}
        """,
        BAKING
        + """
        tick early no_data      | #1 baking 5% [no_data]
        wait 9m                 | #1 baking 5% [no_data]
        wait 1m                 | #1 rolling_back 0%
        """,
    )


def test_a_proxy_that_lags():
    play(
        CANARY,
        """
        ci: 1.4.2               | #1 preparing 0% (started)
        candidate ready         | #1 shifting 5%
        proxies lag             | #1 shifting 5% [stragglers]
        tick                    | #1 shifting 5% [stragglers]
        bob promotes            | #1 shifting 5% [stragglers] (refused: conflict)
        bob resumes stragglers  | #1 baking 5% (resumed)
        tick                    | #1 shifting 50%
        proxies lag             | #1 shifting 50% [stragglers]
        proxies confirm         | #1 baking 50%
        """,
    )


def test_a_configuration_that_the_mesh_refuses():
    play(
        CANARY,
        """
        ci: 1.4.2               | #1 preparing 0% (started)
        candidate ready         | #1 shifting 5%
        proxies refuse          | #1 rolling_back 0%
        proxies refuse          | #1 rolling_back 0%
        mesh down               | #1 rolling_back 0%
        mesh up                 | #1 rolling_back 0%
        proxies confirm         | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_stable_is_down_when_it_has_to_go_back():
    play(
        CANARY,
        BAKING
        + """
        tick                    | #1 shifting 50%
        stable unready          | #1 shifting 50% [stable_unready]
        proxies confirm         | #1 baking 50% [stable_unready]
        tick fail               | #1 rolling_back 50% [stable_unready]
        proxies confirm         | #1 rolling_back 50% [stable_unready]
        stable ready            | #1 rolling_back 0%
        proxies confirm         | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_the_fix_for_a_stable_that_is_down():
    play(
        CANARY,
        """
        ci: 1.4.2               | #1 preparing 0% (started)
        stable unready          | #1 preparing 0% [stable_unready]
        candidate ready         | #1 preparing 0% [stable_unready]
        bob promotes            | #1 preparing 0% [stable_unready] (refused: conflict)
        bob resumes stable_unready because this is the fix | #1 shifting 5% (resumed)
        bob promotes            | #1 shifting 5% (promoted)
        proxies confirm         | #1 promoting 100%
        proxies confirm         | idle on 1.4.2, #1 promoted
        """,
    )


def test_alerts():
    play(
        CANARY,
        BAKING
        + """
        alert DiskFull          | #1 baking 5% (alert_not_named)
        alert CheckoutErrors from before | #1 baking 5% (alert_before_shift)
        alert CheckoutErrors    | #1 rolling_back 0% (aborted)
        """,
    )


def test_the_database_lost_what_the_route_still_shows():
    play(
        CANARY,
        BAKING
        + """
        history lost            | #1 baking 0% [history_lost]
        tick                    | #1 baking 0% [history_lost]
        bob resumes history_lost | #1 baking 0% [history_lost] (refused: forbidden)
        root resumes history_lost | #1 shifting 5% (resumed)
        proxies confirm         | #1 baking 5%
        tick                    | #1 shifting 50%
        """,
    )


def test_somebody_else_writes_the_route_all_the_time():
    play(
        CANARY,
        BAKING
        + """
        somebody edits the route | #1 baking 5%
        somebody edits the route | #1 baking 5%
        somebody edits the route | #1 baking 5%
        somebody edits the route | #1 baking 5%
        somebody edits the route | #1 baking 5% [drift_storm]
        tick                    | #1 baking 5% [drift_storm]
        wait 5m                 | #1 baking 5%
        tick                    | #1 shifting 50%
        """,
    )


def test_a_candidate_that_never_comes_lets_the_next_one_in():
    play(
        CANARY,
        """
        ci: 1.4.2               | #1 preparing 0% (started)
        ci: 1.4.3               | #1 preparing 0%, #2 waits (queued)
        wait 9m                 | #1 preparing 0%, #2 waits
        candidate missing       | #1 preparing 0%, #2 waits
        wait 1m                 | #1 preparing 0%, #2 waits
        candidate missing       | #1 rolling_back 0%, #2 waits
        proxies confirm         | #2 preparing 0%
        bob aborts              | #2 rolling_back 0% (aborted)
        proxies confirm         | idle on 1.4.1, #2 cancelled
        ci: 1.4.2               | #3 preparing 0% (started)
        ci: 1.4.3               | #3 preparing 0% (rejected_identity)
        """,
    )
