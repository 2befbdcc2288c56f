"""A service file as it was read: plain values, and where each of them stands in the text."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """`lines` has the line of each place (`strategies[1].canary.steps`), none where the values came without a text."""

    values: Mapping[str, object]
    lines: Mapping[str, int] = field(default_factory=dict)
    file: str = ""
