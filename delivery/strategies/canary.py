"""Canary: more and more of all requests, step by step.

    canary: {steps: [5%, 25%, 50%], bake: 10m, sticky: {cookie: rel}, approval: {before: 50%, from: sre}}

The default steps are the ones that the gates' error rates were simulated with. A last step below 100 percent is
followed by the raise to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.model.fields import Fields
from delivery.model.ids import Micros
from delivery.model.plan import Approval, Stage, Then
from delivery.model.scalars import pattern, percent
from delivery.model.service import StageDefaults
from delivery.model.traffic import ALL_CANDIDATE, Sticky, Traffic
from delivery.strategies.approvals import BEGIN, NOBODY, PROMOTION, Approvals, approvals
from delivery.strategies.terms import BAKE, SILENT, Terms, terms

KIND = "canary"
STEPS = (5, 25, 50)
FULL = 100


@dataclass(frozen=True, slots=True)
class Canary:
    """`bakes` has one for each step. A `cookie` makes it sticky. Approvals are named by the weight that they guard."""

    steps: tuple[int, ...]
    bakes: tuple[Micros | None, ...]
    terms: Terms = SILENT
    cookie: str | None = None
    approvals: Approvals = NOBODY

    @property
    def kind(self) -> str:
        return KIND

    @property
    def then(self) -> Then | None:
        return None

    def promotion(self, defaults: StageDefaults) -> Approval | None:
        """Where 100 percent is a step, the approval before it guards that stage."""
        return None if FULL in self.steps else self.approvals.before(f"{FULL}%", defaults)

    def stages(self, before: Traffic, defaults: StageDefaults) -> tuple[Stage, ...]:
        stages: list[Stage] = []
        for index, (weight, bake) in enumerate(zip(self.steps, self.bakes, strict=True)):
            before = self._step(before, weight)
            guard = self.approvals.before(f"{weight}%", defaults)
            stages.append(self.terms.stage(f"{KIND} {weight}%", KIND, before, bake, defaults, guard, index))
        return tuple(stages)

    def _step(self, before: Traffic, weight: int) -> Traffic:
        if weight == FULL:
            return ALL_CANDIDATE
        return Traffic(weight=weight, rules=before.rules, sticky=self._sticky(before))

    def _sticky(self, before: Traffic) -> Sticky | None:
        """A chain that became sticky stays so; its users keep what they drew in earlier strategies too."""
        if before.sticky is None:
            return Sticky(self.cookie) if self.cookie else None
        return Sticky(self.cookie or before.sticky.cookie, (*before.sticky.draws, before.weight))


def parse(fields: Fields) -> Canary:
    """A canary as a service file has it; mistakes stay in `fields`."""
    steps = fields.many("steps", percent(), STEPS, least=1)
    for index in range(1, len(steps) if fields.sound("steps") else 0):
        if steps[index] <= steps[index - 1]:
            problem = f"does not rise above {steps[index - 1]}%"
            fields.wrong("steps", problem, "weights that rise from step to step", index=index)
    cookie = _cookie(fields)
    guards = approvals(fields, _points(steps))
    return Canary(steps, _bakes(fields, steps), terms(fields, len(steps)), cookie, guards)


def _bakes(fields: Fields, steps: tuple[int, ...]) -> tuple[Micros | None, ...]:
    bakes = fields.one_or_many("bake", BAKE, (None,))
    if len(bakes) == 1:
        return bakes * len(steps)
    if len(bakes) != len(steps):
        fields.wrong("bake", f"has {len(bakes)} durations for {len(steps)} steps", "one duration, or one for each step")
        return (None,) * len(steps)
    return bakes


def _cookie(fields: Fields) -> str | None:
    if "sticky" not in fields:
        return None
    expected = "the name of a cookie: letters, digits, dashes and underscores, at most 64"
    return fields.sub("sticky").get("cookie", pattern(r"[A-Za-z0-9_-]{1,64}", expected))


def _points(steps: tuple[int, ...]) -> Mapping[str, str]:
    """Every step, and 100 percent, by its weight; it begins with its first."""
    weights = {f"{step}%": f"{step}%" for step in (*steps, FULL)}
    return {BEGIN: f"{steps[0] if steps else FULL}%", **weights, PROMOTION: f"{FULL}%"}
