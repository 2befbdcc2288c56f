"""A canary from the event to its end, good and bad."""

from delivery.testing.builders import a_version
from tests.scenarios.script import play

TWO_STEPS = """
strategies: [{canary: {steps: [5%, 50%], bake: 5m}}]
"""
SRE = """
strategies: [{canary: {steps: [5%, 25%], bake: 5m, approval: {before: 25%, from: sre, expires: 4h}}}]
"""


def test_a_good_version():
    end = play(
        TWO_STEPS,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate missing   | #1 preparing 0%
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick early          | #1 baking 5%
        tick 49 requests    | #1 baking 5%
        tick                | #1 shifting 50%
        proxies confirm     | #1 baking 50%
        tick early pass     | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )
    assert end.target.world.target.stable == a_version("1.4.2")
    assert list(end.retiring) == ["1.4.1"]


def test_a_version_whose_errors_rise():
    play(
        TWO_STEPS,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick early fail     | #1 rolling_back 0%
        bob promotes        | #1 rolling_back 0% (refused: conflict)
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        ci: 1.4.2           | idle on 1.4.1, #1 rolled_back (rejected_identity)
        bob retries #1      | #2 preparing 0% (started)
        """,
    )


def test_a_regression_that_shows_late():
    play(
        TWO_STEPS,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick                | #1 shifting 50%
        proxies confirm     | #1 baking 50%
        tick early fail     | #1 rolling_back 0%
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_people_are_asked_before_a_quarter():
    play(
        SRE,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick                | #1 baking 5% [approval]
        alice@sre approves  | #1 baking 5% [approval] (refused: forbidden)
        bob approves        | #1 baking 5% [approval] (refused: forbidden)
        bob promotes        | #1 baking 5% [approval] (refused: conflict)
        bob@sre approves    | #1 shifting 25% (approved)
        proxies confirm     | #1 baking 25%
        tick                | #1 promoting 100%
        """,
    )


def test_nobody_answers():
    play(
        SRE,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick                | #1 baking 5% [approval]
        wait 3h59m          | #1 baking 5% [approval]
        wait 1m             | #1 rolling_back 0%
        bob@sre approves    | #1 rolling_back 0% (refused: conflict)
        proxies confirm     | idle on 1.4.1, #1 rolled_back
        """,
    )


def test_it_fails_while_people_think():
    play(
        SRE,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick                | #1 baking 5% [approval]
        tick fail           | #1 rolling_back 0%
        """,
    )


def test_a_last_step_of_everything_is_promoted_when_it_has_baked():
    play(
        """
        strategies: [{canary: {steps: [5%, 100%], bake: 5m}}]
        gates: {success: {threshold: http_success_rate, at_least: 99%, over: 1m, failure_limit: 3}}
        """,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        tick                | #1 shifting 100%
        proxies confirm     | #1 baking 100%
        tick                | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        """,
    )


def test_a_sticky_canary_ends_plain():
    end = play(
        "strategies: [{canary: {steps: [5%], bake: 5m, sticky: {cookie: rel}}}]",
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 shifting 5%
        proxies confirm     | #1 baking 5%
        """,
    )
    assert end.target.active.plan.stages[0].traffic.sticky is not None
    assert end.line("tick") == "#1 promoting 100%"
    assert end.line("proxies confirm") == "idle on 1.4.2, #1 promoted"


def test_the_first_version_here():
    play(
        TWO_STEPS,
        """
        ci: 1.4.2           | #1 preparing 0% (started)
        candidate ready     | #1 promoting 100%
        proxies confirm     | idle on 1.4.2, #1 promoted
        bob rolls back #1   | idle on 1.4.2, #1 promoted (refused: conflict)
        """,
        first=True,
    )
