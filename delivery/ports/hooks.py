"""Port: work of the owners' own that a release waits for. Implemented by adapters/hooks, one for each kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from delivery.model.ids import HookId, Micros, TargetId
from delivery.model.place import Place
from delivery.model.version import VersionRef

LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class HookCall:
    """One attempt. `key` is its name: letters, digits, dashes and underscores, the same whenever it is asked again.

    `begun` is when its time began. `params` is what the service file says for this kind of hook, `facts` what the call
    is about, as plain JSON: the same whenever it is asked again, too.
    """

    key: str
    target: TargetId
    hook: HookId
    begun: Micros
    timeout: Micros
    candidate: VersionRef
    params: Mapping[str, object]
    facts: Mapping[str, object]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """`ok` is None while it has not ended. `words` are for people: what it said, at most LONGEST_WORDS, no secrets.

    `trouble`: why nothing is known of it.
    """

    ok: bool | None = None
    words: str = ""
    trouble: str = ""


class Hooks(Protocol):
    def run(self, call: HookCall) -> HookAnswer:
        """Makes the attempt where it was not made, else says how it stands. Bounded in time, waits for nothing.

        Asked twice, also by two processes and after a crash in between, it is made once: by its key. Raises Refused
        where it cannot be made at all, and Unavailable where nothing is known: then it is asked again.
        """


def words(text: str) -> str:
    """What somebody said, in one line that is short enough to be told in chat."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= LONGEST_WORDS else f"{line[: LONGEST_WORDS - 3].rstrip()}..."
