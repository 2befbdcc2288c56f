"""Port Hooks in memory: attempts that end when they are told to."""

from delivery.ports.errors import Refused, Unavailable
from delivery.ports.hooks import HookAnswer, HookCall, words


class MemoryHooks:
    """`down` makes every call Unavailable. `made` has each attempt that was made, by its key, in order."""

    def __init__(self) -> None:
        self.down = False
        self.made: dict[str, HookCall] = {}
        self._ends: dict[str, HookAnswer] = {}
        self._unknown: dict[str, str] = {}

    # The port.

    def run(self, call: HookCall) -> HookAnswer:
        if self.down:
            raise Unavailable("the hooks cannot be reached")
        name = str(call.params.get("name", ""))
        if name in self._unknown:
            raise Refused(self._unknown[name])
        self.made.setdefault(call.key, call)
        return self._ends.get(call.key, HookAnswer())

    # The world.

    def ends(self, key: str, ok: bool, text: str = "") -> None:
        """The attempt has ended, or will at once when it is made."""
        self._ends[key] = HookAnswer(ok, words(text))

    def forget(self, name: str, reason: str) -> None:
        """There is nothing of this name."""
        self._unknown[name] = reason
