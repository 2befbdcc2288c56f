"""What the tests of whole releases rely on finds what it is there to find."""

from collections import Counter

import pytest

from tests.cluster.steady import Stage, nothing_lost

WHOLE = {"sent": 1000, "answered": 1000, "skipped": 0, "failed": {}}


def stage(stable: int, candidate: int, desired: int = 20) -> Stage:
    before = Counter({"1.4.1": 500, "1.4.2": 40})
    after = before + Counter({"1.4.1": stable, "1.4.2": candidate})
    return Stage("canary", desired, "acked", before, after)


def test_counts_that_follow_the_weight_pass() -> None:
    stage(800, 200).follows("1.4.2")
    stage(820, 180).follows("1.4.2")
    stage(1000, 0, desired=0).follows("1.4.2")
    stage(0, 1000, desired=100).follows("1.4.2")


@pytest.mark.parametrize(
    ("counts", "desired"), [((700, 300), 20), ((900, 100), 20), ((999, 1), 0), ((1, 999), 100), ((20, 5), 20)]
)
def test_counts_that_do_not_are_found(counts: tuple[int, int], desired: int) -> None:
    with pytest.raises(AssertionError, match="canary"):
        stage(*counts, desired=desired).follows("1.4.2")


@pytest.mark.parametrize("change", [{"failed": {"503 no healthy upstream": 1}}, {"skipped": 1}, {"answered": 999}])
def test_a_single_request_that_is_lost_is_found(change: dict[str, object]) -> None:
    nothing_lost(WHOLE)
    with pytest.raises(AssertionError):
        nothing_lost(WHOLE | change)
