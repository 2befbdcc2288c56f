"""A section that says which people have to agree: `{from: sre, count: 2, expires: 4h}`."""

from dataclasses import dataclass
from typing import Final

from delivery.model.fields import Fields
from delivery.model.ids import Micros
from delivery.model.plan import Approval
from delivery.model.scalars import duration, pattern

GROUP: Final = pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "the name of a group of approvers, such as sre")


@dataclass(frozen=True, slots=True)
class Asked:
    """An approval as it is written: what is None was left out."""

    count: int | None = None
    group: str | None = None
    expires: Micros | None = None

    def over(self, default: Approval) -> Approval:
        """The approval, with the default's word where this one has none."""
        return Approval(
            count=default.count if self.count is None else self.count,
            group=default.group if self.group is None else self.group,
            expires=default.expires if self.expires is None else self.expires,
        )


def read_asked(section: Fields) -> Asked:
    """What the section says; mistakes stay in it. Other keys may stand beside these."""
    return Asked(
        count=section.whole("count", None, low=1, high=10),
        group=section.get("from", GROUP, None),
        expires=section.get("expires", duration(Micros(1_000_000)), None),
    )


def read_approval(fields: Fields, name: str) -> Approval | None:
    """The section of this name, where it is there; mistakes stay in it."""
    return read_asked(fields.sub(name)).over(Approval()) if name in fields else None
