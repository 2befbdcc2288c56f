"""A/B test: requests that meet a rule go to the candidate, all others stay, and both variants are compared.

ab_test: {match: [{headers: {x-beta: {exact: "true"}}}, {cookies: {group: b}}], bake: 2h, report: [conversion]}
"""

from dataclasses import dataclass, replace

from delivery.model.fields import Fields
from delivery.model.ids import GateId, Micros
from delivery.model.plan import Approval, Stage, Then
from delivery.model.service import StageDefaults
from delivery.model.traffic import Match, Rule, Traffic
from delivery.strategies.approvals import BEGIN, NOBODY, PROMOTION, Approvals
from delivery.strategies.matching import matches
from delivery.strategies.terms import BAKE, SILENT, Terms, asked, gate_name, terms

KIND = "ab_test"


@dataclass(frozen=True, slots=True)
class AbTest:
    """`report` are gates that are measured and shown for both variants and decide nothing."""

    matches: tuple[Match, ...]
    bake: Micros | None = None
    terms: Terms = SILENT
    report: tuple[str, ...] = ()
    then: Then | None = Then.ASK
    approvals: Approvals = NOBODY

    @property
    def kind(self) -> str:
        return KIND

    def promotion(self, defaults: StageDefaults) -> Approval | None:
        return self.approvals.before(PROMOTION, defaults)

    def stages(self, before: Traffic, defaults: StageDefaults) -> tuple[Stage, ...]:
        rule = Rule(_rule_name(before), self.matches)
        traffic = replace(before, rules=(*before.rules, rule), mirror=None)
        stage = self.terms.stage(KIND, KIND, traffic, self.bake, defaults, self.approvals.before(BEGIN, defaults))
        extra = tuple(GateId(gate) for gate in self.report if gate not in stage.gates)
        return (replace(stage, gates=stage.gates + extra),)


def parse(fields: Fields) -> AbTest:
    """An A/B test as a service file has it; mistakes stay in `fields`."""
    then, guards = asked(fields)
    report = fields.many("report", gate_name(), ())
    if len(set(report)) < len(report):
        fields.wrong("report", "names a gate twice")
    return AbTest(
        matches=matches(fields),
        bake=fields.get("bake", BAKE, None),
        terms=terms(fields),
        report=report,
        then=then,
        approvals=guards,
    )


def _rule_name(before: Traffic) -> str:
    earlier = sum(rule.name.startswith(KIND) for rule in before.rules)
    return f"{KIND}-{earlier + 1}" if earlier else KIND
