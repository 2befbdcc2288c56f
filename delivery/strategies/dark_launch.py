"""Dark launch: the candidate gets copies of stable's requests, and its answers reach nobody.

    dark_launch: {mirror: 10%, methods: [GET, HEAD], bake: 10m, then: ask}

Without `methods` only those are mirrored that change nothing: a copied POST is a second order. `methods: all` takes
every request.
"""

from dataclasses import dataclass

from delivery.model.fields import Fields
from delivery.model.ids import Micros
from delivery.model.plan import Approval, Stage, Then
from delivery.model.scalars import pattern
from delivery.model.service import StageDefaults
from delivery.model.traffic import Mirror, Traffic
from delivery.strategies.approvals import BEGIN, NOBODY, PROMOTION, Approvals
from delivery.strategies.terms import BAKE, SILENT, Terms, asked, terms

KIND = "dark_launch"
SAFE = ("GET", "HEAD")
ALL = "all"
_METHOD = "GET|HEAD|OPTIONS|POST|PUT|PATCH|DELETE"


@dataclass(frozen=True, slots=True)
class DarkLaunch:
    mirror: Mirror
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
        """Needs a route that only stable serves: whatever else `before` had is gone, which the plan then refuses."""
        name = f"{KIND} {self.mirror.percent}%"
        guard = self.approvals.before(BEGIN, defaults)
        return (self.terms.stage(name, KIND, Traffic(mirror=self.mirror), self.bake, defaults, guard),)


def parse(fields: Fields) -> DarkLaunch:
    """A dark launch as a service file has it; mistakes stay in `fields`."""
    fields.refuse(["traffic_policy"], "limits what users' requests get, and these are copies: take it out")
    mirror = Mirror(fields.percent("mirror"), _methods(fields))
    then, guards = asked(fields)
    return DarkLaunch(mirror, fields.get("bake", BAKE, None), terms(fields), then, guards)


def _methods(fields: Fields) -> tuple[str, ...]:
    expected = f"all, or a list of {_METHOD.replace('|', ', ')}"
    methods = fields.one_or_many("methods", pattern(f"{ALL}|{_METHOD}", expected), SAFE)
    if methods == (ALL,):
        return ()
    if ALL in methods or len(set(methods)) < len(methods):
        fields.wrong("methods", f"has {ALL} among others, or a method twice", expected)
    return methods
