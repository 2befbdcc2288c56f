"""Blue/green: a preview that nobody reaches by chance, then everything at once, with the old version kept warm.

    blue_green: {bake: 10m, gates: [errors], smoke: {hook: smoke}, approval: {from: qa}}

The preview answers requests with the header `x-delivery-preview: candidate`, or with those that `preview: {headers}`
names. The value is the role and not the version: a plan is compiled once, before it is known which version it will be
about. A header is no secret; who has to be kept out is asked for a token: `preview: {jwt: {issuer, jwks}}`.
"""

from dataclasses import dataclass, replace
from typing import Final

from delivery.model.fields import Fields
from delivery.model.ids import HookId, Micros
from delivery.model.plan import Approval, Stage, Then
from delivery.model.scalars import pattern
from delivery.model.service import StageDefaults
from delivery.model.traffic import ALL_CANDIDATE, HeaderMatch, Match, MatchKind, Rule, Traffic
from delivery.strategies.approvals import BEGIN, NOBODY, PROMOTION, Approvals, approvals
from delivery.strategies.matching import headers
from delivery.strategies.terms import BAKE, SILENT, Terms, terms
from delivery.strategies.tokens import token

KIND = "blue_green"
PREVIEW: Final = Rule("preview", (Match(headers=(HeaderMatch("x-delivery-preview", MatchKind.EXACT, "candidate"),)),))
_PREVIEW_TERMS = Terms(gates=(), min_requests=0)


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """`bake` is how long the switch is watched. Who is asked before the promotion guards the switch, so that people can
    try the preview; `smoke` is a hook that has to succeed before they are asked.
    """

    bake: Micros | None = None
    terms: Terms = SILENT
    approvals: Approvals = NOBODY
    preview: Rule = PREVIEW
    smoke: HookId | None = None

    @property
    def kind(self) -> str:
        return KIND

    @property
    def then(self) -> Then | None:
        return None

    def promotion(self, defaults: StageDefaults) -> Approval | None:
        """None: the stage that switches has the approval."""
        return None

    def stages(self, before: Traffic, defaults: StageDefaults) -> tuple[Stage, ...]:
        preview = replace(before, rules=(*before.rules, self.preview), mirror=None)
        unjudged = replace(_PREVIEW_TERMS, policies=self.terms.policies)
        begin, switch = (self.approvals.before(point, defaults) for point in (BEGIN, PROMOTION))
        first = unjudged.stage(f"{KIND} preview", KIND, preview, Micros(0), defaults, begin)
        return (
            replace(first, hooks=(self.smoke,) if self.smoke else ()),
            self.terms.stage(f"{KIND} switch", KIND, ALL_CANDIDATE, self.bake, defaults, switch, 1),
        )


def parse(fields: Fields) -> BlueGreen:
    """A blue/green switch as a service file has it; mistakes stay in `fields`."""
    return BlueGreen(
        fields.get("bake", BAKE, None),
        terms(fields, 2),
        approvals(fields),
        _preview(fields.sub("preview")),
        HookId(fields.sub("smoke").get("hook", pattern(r"[a-z][a-z0-9-]{0,39}", "the name of a hook")))
        if "smoke" in fields
        else None,
    )


def _preview(section: Fields) -> Rule:
    jwt = token(section.sub("jwt")) if "jwt" in section else None
    if "headers" not in section:
        return replace(PREVIEW, jwt=jwt)
    wanted = headers(section)
    if not wanted:
        section.wrong("headers", "is empty", "one header or more, each with exact, prefix or regex")
    return Rule(PREVIEW.name, (Match(headers=wanted),), jwt=jwt)
