"""Migrations, smoke tests and other work that a release waits for."""

from tests.scenarios.script import play

MIGRATED = """
hooks:
  migrate: {http: platform, path: /migrate, before: start, timeout: 10m, retries: 1, on_failure: ask}
  smoke: {http: platform, path: /smoke}
  tell: {http: platform, path: /released, after: [promoted, reverted]}
strategies: [{blue_green: {smoke: {hook: smoke}, bake: 10m, gates: [], approval: {from: qa}}}]
"""


def test_a_migration_a_smoke_test_and_a_note_at_the_end():
    play(
        MIGRATED,
        """
        ci: 1.4.2                  | #1 preparing 0% calls migrate (started)
        hook migrate succeeds      | #1 preparing 0%
        candidate ready            | #1 shifting preview
        proxies confirm            | #1 baking preview calls smoke
        tick 0 requests            | #1 baking preview calls smoke
        hook smoke succeeds        | #1 baking preview [approval]
        bob@qa approves            | #1 shifting 100% (approved)
        proxies confirm            | #1 baking 100%
        tick                       | #1 promoting 100%
        proxies confirm            | #1 promoting 100% calls tell
        hook tell succeeds         | idle on 1.4.2, #1 promoted
        """,
    )


def test_a_migration_that_fails_asks_people():
    play(
        MIGRATED,
        """
        ci: 1.4.2                                      | #1 preparing 0% calls migrate (started)
        hook migrate fails, busy                       | #1 preparing 0%
        wait 10s                                       | #1 preparing 0% calls migrate
        wait 10m                                       | #1 preparing 0% calls migrate
        hook migrate runs                              | #1 preparing 0% [hook]
        candidate ready                                | #1 preparing 0% [hook]
        bob promotes                                   | #1 preparing 0% [hook] (refused: conflict)
        bob resumes hook                               | #1 preparing 0% [hook] (refused: needs_reason)
        bob resumes hook because it was done by hand   | #1 shifting preview (resumed)
        """,
    )


def test_a_smoke_test_that_fails_takes_it_back_and_that_is_told():
    play(
        MIGRATED,
        """
        ci: 1.4.2                          | #1 preparing 0% calls migrate (started)
        hook migrate succeeds              | #1 preparing 0%
        candidate ready                    | #1 shifting preview
        proxies confirm                    | #1 baking preview calls smoke
        hook smoke fails, 3 of 12 checks   | #1 rolling_back 0%
        proxies confirm                    | #1 rolling_back 0% calls tell
        hook tell fails, no route to host  | idle on 1.4.1, #1 rolled_back
        ci: 1.4.2                          | idle on 1.4.1, #1 rolled_back (rejected_identity)
        """,
    )


def test_an_abort_waits_for_no_hook_and_the_next_release_for_the_last():
    play(
        MIGRATED,
        """
        ci: 1.4.2                  | #1 preparing 0% calls migrate (started)
        ci: 1.4.3                  | #1 preparing 0% calls migrate, #2 waits (queued)
        bob aborts                 | #1 rolling_back 0%, #2 waits (aborted)
        hook migrate succeeds      | #1 rolling_back 0%, #2 waits
        proxies confirm            | #1 rolling_back 0% calls tell, #2 waits
        hook tell succeeds         | #2 preparing 0% calls migrate
        """,
    )


def test_a_freeze_keeps_a_migration_from_beginning_and_stops_none():
    play(
        MIGRATED,
        """
        ci: 1.4.2                  | #1 preparing 0% calls migrate (started)
        freeze                     | #1 preparing 0% [freeze] calls migrate
        hook migrate fails, busy   | #1 preparing 0% [freeze]
        wait 1m                    | #1 preparing 0% [freeze]
        thaw                       | #1 preparing 0% calls migrate
        """,
    )
