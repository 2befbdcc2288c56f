"""Fault test: test requests meet a candidate that is slow or fails, made so by the proxies; nobody else notices.

    fault_test: {match: [{headers: {x-chaos: {exact: "1"}}}], delay: {time: 300ms, percent: 50%},
                 abort: {status: 503, percent: 10%}, bake: 10m}

It shows how callers bear it. What a proxy answers by itself is no answer of the candidate, so that no gate judges it
unless `gates` names some. The rule goes with its stage: later strategies do not have it.
"""

from dataclasses import dataclass, replace

from delivery.model.fields import Fields
from delivery.model.ids import MINUTE, Micros
from delivery.model.plan import Approval, Stage, Then
from delivery.model.policy import Fault
from delivery.model.scalars import duration
from delivery.model.service import StageDefaults
from delivery.model.traffic import Match, Rule, Traffic
from delivery.strategies.approvals import BEGIN, NOBODY, PROMOTION, Approvals
from delivery.strategies.matching import matches
from delivery.strategies.terms import BAKE, SILENT, Terms, asked, terms

KIND = "fault_test"
_DELAY = duration(Micros(1_000), MINUTE)


@dataclass(frozen=True, slots=True)
class FaultTest:
    matches: tuple[Match, ...]
    fault: Fault
    bake: Micros | None = None
    terms: Terms = SILENT
    then: Then | None = Then.ASK
    approvals: Approvals = NOBODY

    @property
    def kind(self) -> str:
        return KIND

    def promotion(self, defaults: StageDefaults) -> Approval | None:
        return self.approvals.before(PROMOTION, defaults)

    def stages(self, before: Traffic, defaults: StageDefaults) -> tuple[Stage, ...]:
        """Before all other rules, so that the test's requests are met whatever else they are."""
        rule = Rule(KIND, self.matches, fault=self.fault)
        traffic = replace(before, rules=(rule, *before.rules), mirror=None)
        unjudged = replace(self.terms, gates=self.terms.gates or (), min_requests=self.terms.min_requests or 0)
        guard = self.approvals.before(BEGIN, defaults)
        return (unjudged.stage(KIND, KIND, traffic, self.bake, defaults, guard),)


def parse(fields: Fields) -> FaultTest:
    """A fault test as a service file has it; mistakes stay in `fields`."""
    then, guards = asked(fields)
    found = matches(fields)
    for index, match in enumerate(found):
        if match.path and not (match.headers or match.cookies):
            problem = "would do it to users of that path"
            fields.wrong("match", problem, "a header or a cookie that only test requests have", index=index)
    return FaultTest(found, _fault(fields), fields.get("bake", BAKE, None), terms(fields), then, guards)


def _fault(fields: Fields) -> Fault:
    if "delay" not in fields and "abort" not in fields:
        fields.wrong(None, "has no fault", "delay, abort or both")
    delay, abort = fields.sub("delay"), fields.sub("abort")
    return Fault(
        delay=delay.get("time", _DELAY) if "delay" in fields else None,
        delay_percent=delay.percent("percent", 100),
        abort=abort.whole("status", low=400, high=599) if "abort" in fields else None,
        abort_percent=abort.percent("percent", 100),
    )
