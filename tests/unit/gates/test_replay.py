"""A verdict is a pure function of stored ticks: the same ticks say the same, bit for bit, whoever feeds them."""

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.gates.play import ERRORS, LATENCY, SUCCESS, feed, gate, tick

OBJECTIVE = {**ERRORS, "objective": "1%"}
ticks = st.lists(
    st.builds(
        lambda n, m, x, y, stage, complete: tick(
            (min(x, n), n),
            (min(y, m), m),
            stage=stage,
            complete=complete,
            slow=(((250, min(y, n)), (500, 0)), ((250, min(x, m)), (500, 0))),
        ),
        st.integers(0, 2000),
        st.integers(0, 2000),
        st.integers(0, 60),
        st.integers(0, 60),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=12,
).map(lambda found: sorted(found, key=lambda each: each.stage))


@settings(max_examples=100, deadline=None)
@given(ticks, st.sampled_from([ERRORS, OBJECTIVE, LATENCY, SUCCESS]))
def test_a_state_that_was_stored_at_every_tick_says_the_same_bit_for_bit(played, words):
    """Through JSON and a new gate at each tick, as workers do it, and without any of it, as a replay does."""
    made = gate(words, stages=4)
    kept, stored = made.start(), json.dumps(made.start())
    for each in played:
        before = copy.deepcopy(kept)
        after = made.add(kept, each)
        assert kept == before, "add changed its argument"
        kept = after
        other = gate(words, stages=4)
        stored = json.dumps(other.add(json.loads(stored), each), allow_nan=False)
        assert other.judge(json.loads(stored)) == made.judge(kept)
    assert json.loads(stored) == json.loads(json.dumps(kept))


def test_what_is_stored_stays_small():
    state = feed(gate(OBJECTIVE, stages=10), [tick((3, 200), (19, 3800), stage=stage) for stage in range(10)] * 20)
    assert len(json.dumps(state)) < 2000
