"""The owners' own work in the simulated world: it takes its time, fails now and then, and sometimes never ends."""

from collections.abc import Callable
from dataclasses import dataclass, field

from delivery.ports.errors import Unavailable
from delivery.ports.hooks import HookAnswer, HookCall
from tests.simulation.scheduler import Scheduler

FAILS, HANGS = 0.12, 0.06
TAKES = (20_000, 1_200_000)
NEVER = 2**62


@dataclass
class Made:
    """An attempt that was begun. `ends` is the simulated time at which it does."""

    call: HookCall
    ends: int
    ok: bool


@dataclass
class SimHooks:
    """Each attempt is made once by its key, as a receiver does that dedupes, or a Job of that name. `watch` looks on as
    one begins. `moods` has what hooks of a name do from now on: "fails" or "hangs".
    """

    scheduler: Scheduler
    made: dict[str, Made] = field(default_factory=dict)
    moods: dict[str, str] = field(default_factory=dict)
    watch: Callable[[HookCall], None] = lambda call: None
    down: bool = False
    hangs: bool = False

    def run(self, call: HookCall) -> HookAnswer:
        if self.down:
            raise Unavailable("the hooks cannot be reached")
        if call.key not in self.made:
            self.watch(call)
            self.made[call.key] = self._begun(call)
        made = self.made[call.key]
        if self.scheduler.monotonic < made.ends:
            return HookAnswer()
        return HookAnswer(made.ok, "done" if made.ok else "exit code 1")

    def passed(self, key: str) -> bool:
        """Whether the attempt has really ended well by now."""
        made = self.made.get(key)
        return made is not None and made.ok and made.ends <= self.scheduler.monotonic

    def _begun(self, call: HookCall) -> Made:
        dice, mood = self.scheduler.random.random(), self.moods.get(call.hook)
        hangs = mood == "hangs" or (mood is None and dice < HANGS)
        ends = NEVER if hangs else self.scheduler.monotonic + self.scheduler.random.randrange(*TAKES)
        return Made(call, ends, ok=mood != "fails" and (mood is not None or dice >= HANGS + FAILS))
