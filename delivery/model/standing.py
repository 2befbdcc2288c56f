"""How somebody who puts versions into a cluster beside us says that it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """In its own words. `detail` is what it does just now, or why it failed."""

    name: str
    sync: str
    health: str
    detail: str = ""
    revision: str = ""
