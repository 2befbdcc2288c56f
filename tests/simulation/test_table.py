"""Whatever can happen to a release, in every phase, through the whole engine: no invariant breaks."""

from collections import Counter
from itertools import product

import pytest

from tests.simulation.coverage import UNREACHABLE, Pair, counting, every_pair
from tests.simulation.scenes.table import (
    COPY_DEEDS,
    COPY_WAYS,
    DEEDS,
    HOME_DEEDS,
    HOME_WAYS,
    HOOK_DEEDS,
    HOOK_WAYS,
    WAYS,
    enact,
    enact_at_home,
    enact_with_a_copy,
    enact_with_hooks,
)


class Enacted:
    """Everything, and what the machine was asked meanwhile."""

    def __init__(self) -> None:
        self.pairs: Counter[Pair] = Counter()
        with counting(self.pairs):
            self.broken = [text for phase, deed in product(WAYS, DEEDS) for text in enact(phase, deed)]
            self.broken += [text for way, deed in product(HOME_WAYS, HOME_DEEDS) for text in enact_at_home(way, deed)]
            self.broken += [
                text for way, deed in product(HOOK_WAYS, HOOK_DEEDS) for text in enact_with_hooks(way, deed)
            ]
            self.broken += [
                text for way, deed in product(COPY_WAYS, COPY_DEEDS) for text in enact_with_a_copy(way, deed)
            ]


@pytest.fixture(scope="module")
def enacted() -> Enacted:
    return Enacted()


def test_no_invariant_breaks(enacted: Enacted) -> None:
    assert enacted.broken == []


def test_every_pair_of_the_machines_table_is_met(enacted: Enacted) -> None:
    assert sorted(every_pair() - enacted.pairs.keys()) == sorted(UNREACHABLE)
