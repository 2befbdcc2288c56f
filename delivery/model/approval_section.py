"""A section that says which people have to agree: `{from: sre, count: 2, expires: 4h}`."""

from typing import Final

from delivery.model.fields import Fields
from delivery.model.ids import Micros
from delivery.model.plan import Approval
from delivery.model.scalars import duration, pattern

GROUP: Final = pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "the name of a group of approvers, such as sre")


def read_approval(fields: Fields, name: str) -> Approval | None:
    """The section of this name, where it is there; mistakes stay in it. Other keys may stand beside these."""
    if name not in fields:
        return None
    section = fields.sub(name)
    return Approval(
        count=section.whole("count", 1, low=1, high=10),
        group=section.get("from", GROUP, None),
        expires=section.get("expires", duration(Micros(1_000_000)), None),
    )
