"""The other strategies, alone and one after the other in one release."""

from tests.scenarios.script import play

ASKED = """
strategies: [{ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], bake: 2h}}]
"""


def test_blue_green_switches_once_somebody_has_tried_the_preview():
    play(
        "strategies: [{blue_green: {bake: 10m, gates: [], approval: {from: qa}}}]",
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting preview
        proxies confirm     | #1 baking preview
        tick 0 requests     | #1 baking preview [approval]
        bob@qa approves     | #1 shifting 100% (approved)
        proxies confirm     | #1 baking 100%
        tick                | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )


def test_blue_green_back_while_the_old_one_is_warm():
    play(
        """
        strategies: [{blue_green: {bake: 10m}}]
        gates: {success: {threshold: http_success_rate, at_least: 99%, over: 1m, failure_limit: 3}}
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting preview
        proxies confirm     | #1 baking preview
        tick 0 requests     | #1 shifting 100%
        proxies confirm     | #1 baking 100%
        tick early fail     | #1 rolling_back 0%
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_a_bake_at_100_percent_is_not_cut_short_by_a_gate_that_passes():
    play(
        """
        strategies: [{blue_green: {bake: 10m}}]
        gates: {errors: {ratio: http_errors, objective: 1%}}
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting preview
        proxies confirm     | #1 baking preview
        tick 0 requests     | #1 shifting 100%
        proxies confirm     | #1 baking 100%
        tick early pass     | #1 baking 100%
        bob aborts          | #1 rolling_back 0% (aborted)
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_an_ab_test_asks_and_is_promoted():
    play(
        ASKED,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting ab_test
        proxies confirm     | #1 baking ab_test
        tick                | #1 baking ab_test [approval]
        wait 100h           | #1 baking ab_test [approval]
        alice approves      | #1 baking ab_test [approval] (refused: forbidden)
        bob approves        | #1 promoting 100% (approved)
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )


def test_an_ab_test_asks_and_is_withdrawn():
    play(
        ASKED,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting ab_test
        proxies confirm     | #1 baking ab_test
        tick                | #1 baking ab_test [approval]
        bob rejects         | #1 rolling_back 0% (rejected)
        proxies confirm     | idle on 1.4.1, #1 withdrawn
        """,
    )


def test_an_ab_test_that_is_promoted_by_itself():
    play(
        'strategies: [{ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], bake: 2h, then: promote}}]',
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting ab_test
        proxies confirm     | #1 baking ab_test
        freeze              | #1 baking ab_test [freeze]
        tick                | #1 baking ab_test [freeze]
        thaw                | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )


def test_an_ab_test_that_goes_home_by_itself_even_under_a_freeze():
    play(
        'strategies: [{ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], bake: 2h, then: withdraw}}]',
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting ab_test
        proxies confirm     | #1 baking ab_test
        freeze              | #1 baking ab_test [freeze]
        tick                | #1 rolling_back 0%
        proxies confirm     | idle on 1.4.1, #1 withdrawn
        thaw                | idle on 1.4.1, #1 withdrawn
        ci: 1.4.2           | #2 preparing 0% (started)
        """,
    )


def test_a_dark_launch_then_an_ab_test_then_a_canary_in_one_release():
    play(
        """
        strategies:
          - dark_launch: {mirror: 10%, bake: 10m}
          - ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], bake: 2h}
          - canary: {steps: [25%], bake: 5m}
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 10% mirror
        proxies confirm     | #1 baking 10% mirror
        tick                | #1 shifting ab_test
        proxies confirm     | #1 baking ab_test
        tick                | #1 shifting ab_test+25%
        proxies confirm     | #1 baking ab_test+25%
        tick                | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )


def test_a_dark_launch_that_shows_errors_reaches_nobody():
    end = play(
        "strategies: [{dark_launch: {mirror: 10%, bake: 10m}}, {canary: {steps: [25%], bake: 5m}}]",
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 10% mirror
        proxies confirm     | #1 baking 10% mirror
        tick early fail     | #1 rolling_back 0%
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        """,
    )
    assert end.target.release(1).exposed == 0


def test_people_are_asked_before_each_strategy_of_a_chain():
    end = play(
        """
        strategies:
          - dark_launch: {mirror: 10%, bake: 10m, approval: {before: begin}}
          - fault_test:
              match: [{headers: {x-chaos: {exact: "1"}}}]
              abort: {status: 503}
              approval: {before: begin, from: sre}
          - ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], bake: 2h, approval: {before: begin, count: 2}}
          - blue_green: {bake: 10m, gates: [], approval: [{before: begin, from: qa}, {from: sre}]}
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 preparing 0% [approval]
        alice approves      | #1 preparing 0% [approval] (refused: forbidden)
        bob approves        | #1 shifting 10% mirror (approved)
        proxies confirm     | #1 baking 10% mirror
        tick                | #1 baking 10% mirror [approval]
        bob@qa approves     | #1 baking 10% mirror [approval] (refused: forbidden)
        bob@sre approves    | #1 shifting fault_test (approved)
        proxies confirm     | #1 baking fault_test
        bob approves        | #1 baking fault_test (approved)
        tick                | #1 baking fault_test [approval]
        bob approves        | #1 baking fault_test [approval] (refused: conflict)
        alice approves      | #1 baking fault_test [approval] (refused: forbidden)
        carol approves      | #1 shifting ab_test (approved)
        proxies confirm     | #1 baking ab_test
        tick                | #1 baking ab_test [approval]
        carol@qa approves   | #1 shifting ab_test+preview (approved)
        proxies confirm     | #1 baking ab_test+preview
        tick 0 requests     | #1 baking ab_test+preview [approval]
        carol@qa approves   | #1 baking ab_test+preview [approval] (refused: forbidden)
        carol@sre approves  | #1 shifting 100% (approved)
        proxies confirm     | #1 baking 100%
        tick                | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )
    assert end.target.release(1).exposed == 100


def test_a_release_that_nobody_lets_begin_ends_and_has_reached_nobody():
    end = play(
        """
        strategies: [{dark_launch: {mirror: 10%, bake: 10m, approval: {before: begin, expires: 4h}}}]
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 preparing 0% [approval]
        wait 3h             | #1 preparing 0% [approval]
        wait 2h             | #1 rolling_back 0%
        proxies confirm     | idle on 1.4.1, #1 cancelled
        """,
    )
    assert end.target.release(1).exposed == 0


def test_a_no_before_it_begins():
    play(
        """
        strategies: [{ab_test: {match: [{headers: {x-beta: {exact: "true"}}}], approval: {before: begin}}}]
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 preparing 0% [approval]
        alice rejects       | #1 rolling_back 0% (rejected)
        proxies confirm     | idle on 1.4.1, #1 cancelled
        """,
    )
