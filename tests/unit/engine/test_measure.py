"""A look at both versions: what becomes of raw counters, and what goes to the gates and to the machine."""

from dataclasses import replace
from typing import Any

from delivery.engine.measure import Measurer
from delivery.model.codec import from_plain, to_plain
from delivery.model.effect import Measure
from delivery.model.event import Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import SECOND, Micros
from delivery.model.series import Sample, Series
from delivery.model.verdict import Tick, Verdict
from delivery.ports.ledger import Measuring
from delivery.registry import GATES
from delivery.testing.builders import a_plan, a_stage, a_story_in
from tests.unit.gates.play import ERRORS, spec

TICK = 15 * SECOND


def state(looking) -> Any:
    return looking.measuring.gates["errors"]


def build(made, alpha, stages):
    return GATES[made.kind].build(made, alpha, stages)


class Looking:
    """A release that bakes at 5 percent, and counters that grow."""

    def __init__(self, words=ERRORS, earlier=None, **changes):
        plan = a_plan(a_stage(), gates=(replace(spec(words, "errors"), **changes),))
        self.release = a_story_in(Phase.BAKING, plan=plan).release
        self.measurer = Measurer(build)
        self.measuring: Measuring = self.measurer.begin(self.release, earlier or {})
        self.now = Micros(1000)
        self.counted: dict[str, dict[str, Series]] = {"candidate": {}, "stable": {}}
        self.signal: Any = None

    def look(self, candidate=None, stable=None):
        """A tick later. Each side has (requests, errors) by source, or nothing."""
        for side, more in (("candidate", candidate), ("stable", stable)):
            for source, (requests, errors) in (more or {}).items():
                before = self.counted[side].get(source, Series(0, 0))
                self.counted[side][source] = replace(
                    before, requests=before.requests + requests, errors=before.errors + errors
                )
        samples = Sample(self.now, dict(self.counted["candidate"])), Sample(self.now, dict(self.counted["stable"]))
        effect = Measure(self.release.stage, self.release.dseq)
        self.measuring, self.signal, _ = self.measurer.look(self.measuring, self.release, effect, samples, self.now)
        self.now = Micros(self.now + TICK)
        return self

    def several(self, times, candidate, stable):
        for _ in range(times):
            self.look({"envoy": candidate}, {"envoy": stable})
        return self

    @property
    def last(self) -> Tick:
        return self.measuring.ticks[-1]


def test_the_first_look_only_takes_the_counters():
    looking = Looking().look({"envoy": (100, 50)}, {"envoy": (1000, 1)})
    assert looking.signal is None
    looking.look({"envoy": (10, 1)}, {"envoy": (190, 0)})
    assert (looking.last.candidate.requests, looking.last.candidate.errors) == (10, 1)


def test_the_sources_of_the_candidate_s_errors_go_with_the_tick():
    looking = Looking().look({"a": (0, 0), "b": (0, 0)}, {"a": (0, 0), "b": (0, 0)})
    looking.look({"a": (10, 0), "b": (10, 2)}, {"a": (100, 1), "b": (100, 1)})
    assert looking.last.candidate.sources == (("b", 10, 2),)
    assert looking.last.stable.sources is None


def test_measures_of_the_service_s_own_are_deltas_too_and_levels_are_not():
    looking = Looking()
    for bought, users, cpu in ((5, 100, 0.5), (9, 130, 0.75)):
        series = Series(10, 0, rates=(("sales", bought, users),), gauges=(("cpu", cpu),))
        looking.counted = {"candidate": {"envoy": series}, "stable": {}}
        looking.look()
    assert looking.last.candidate.rates == (("sales", 4, 30),)
    assert looking.last.candidate.gauges == (("cpu", 0.75),)
    assert looking.last.stable.rates is None
    assert looking.measuring.totals[0].rates == (("sales", 4, 30),)
    assert from_plain(Tick, to_plain(looking.last)) == looking.last


def test_a_tick_while_stable_has_no_ready_instance_says_so_and_convicts_nobody():
    looking = Looking().several(2, (100, 0), (1900, 0))
    hold = Hold(HoldKind.STABLE_UNREADY, looking.now)
    looking.release = replace(looking.release, holds=(hold,))
    looking.several(20, (100, 0), (1900, 1900))
    assert looking.last.stable_down
    looking.release = replace(looking.release, holds=())
    looking.several(1, (100, 0), (1900, 0))
    assert not looking.last.stable_down
    assert Verdict.PASS not in {one.verdict for one in looking.signal.judgements}


def test_a_split_that_is_not_as_configured_is_told_until_it_is():
    looking = Looking().several(3, (75, 0), (1425, 0))
    assert looking.signal.split == ""
    looking.several(6, (400, 0), (1100, 0))
    assert "was to get 5 %" in looking.signal.split
    looking.several(60, (75, 0), (1425, 0))
    assert looking.signal.split == ""


def test_a_new_release_begins_with_what_the_gates_knew_of_the_service():
    before = Looking({"ratio": "http_errors"})
    for number in range(60):
        before.several(1, (100, 0), (1900, 40 if number % 4 == 0 else 0))
    after = Looking({"ratio": "http_errors"}, earlier=before.measuring.gates)
    knew, knows = state(before), state(after)
    assert knows["against"][0]["spread"][:2] == knew["against"][0]["spread"][:2]
    assert knows["seen"] == 0
