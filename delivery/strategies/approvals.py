"""Before which points of a strategy people are asked, and whom: the section `approval`, the same for every strategy.

    approval: {before: begin, from: qa}
    approval: [{before: [begin, 25%], from: qa}, {before: promotion, from: sre, count: 2, expires: 4h}]

`begin` is its first stage, wherever in a chain the strategy stands; `promotion` the raise to 100 percent, and what is
meant where nothing is said. A strategy may name points of its own beside these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from delivery.model.approval_section import Asked, read_asked
from delivery.model.fields import Fields
from delivery.model.mistake import one_of
from delivery.model.plan import Approval
from delivery.model.scalars import Reader
from delivery.model.service import StageDefaults

BEGIN: Final = "begin"
PROMOTION: Final = "promotion"
COMMON: Final = {BEGIN: BEGIN, PROMOTION: PROMOTION}
_KEY = "approval"


@dataclass(frozen=True, slots=True)
class Approvals:
    """Who is asked before which point. A point has one entry at most."""

    asked: tuple[tuple[str, Asked], ...] = ()

    def __contains__(self, point: str) -> bool:
        return any(name == point for name, _ in self.asked)

    def before(self, point: str, defaults: StageDefaults) -> Approval | None:
        """The approval before this point; None where nobody is asked there."""
        return next((asked.over(defaults.approval) for name, asked in self.asked if name == point), None)


NOBODY: Final = Approvals()


def approvals(fields: Fields, points: Mapping[str, str] = COMMON) -> Approvals:
    """The section `approval` of a strategy's section, one mapping or a list of them; mistakes stay in it.

    `points` has every way to write a point, and what that point is called: a canary's `begin` is its first step.
    """
    if _KEY not in fields:
        return NOBODY
    sections = fields.subs(_KEY, least=1) if fields.is_list(_KEY) else (fields.sub(_KEY),)
    found: dict[str, Asked] = {}
    for section in sections:
        asked = read_asked(section)
        for point in _before(section, points):
            if point in found:
                problem = f"asks twice before {point}"
                section.wrong("before", problem, "each point once, with all who are asked there")
            found[point] = asked
    return Approvals(tuple(found.items()))


def _before(section: Fields, points: Mapping[str, str]) -> Sequence[str]:
    reader = Reader(one_of(points), "", lambda raw: points.get(raw) if isinstance(raw, str) else None)
    written = section.one_or_many("before", reader, (points[PROMOTION],))
    return [point for point in written if point]
