"""What somebody should know before a service is handed over: found by looking, never by changing anything."""

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    BLOCKS = "blocks"  # a release cannot work until it is mended
    LEAKS = "leaks"  # users could meet the candidate, or miss a rule, in a way that no release decides
    WARNS = "warns"  # it works, and somebody may be surprised
    SAYS = "says"  # good to know


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the object that it is about, `remedy` the YAML or the command that mends it."""

    weight: Weight
    subject: str
    text: str
    remedy: str = ""
