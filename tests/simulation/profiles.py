"""Kinds of weather. A seed draws one, so that what happens in it happens often, and work gets done in between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

SECOND = 1_000_000
Span = tuple[int, int]

FENCE = (
    "ledger.holds",
    "ledger.bump_epoch",
    "ledger.settle",
    "ledger.commit",
    "mesh.read",
    "mesh.write",
    "mesh.confirm",
)
"""Where a fault hurts most: uniform choice hardly ever finds the window between a check and a write."""


CALM_PEOPLE: Mapping[str, int] = {
    "approve": 60,
    "resume": 25,
    "pause": 4,
    "abort": 5,
    "reject": 2,
    "promote": 4,
    "again": 8,
    "late": 2,
}
EVERY_DEED = (
    "kill", "suspend", "mesh_down", "lag", "exchange", "write_fault", "edit", "strip", "clock", "stop", "unready",
    "crash", "metrics", "restart", "chat", "stale", "refuse", "apply", "monitor", "failover",
    "silence", "orphan", "hang",
)  # fmt: skip


@dataclass(frozen=True)
class Faults:
    """Chances for each port call: to fail before it does anything, to fail after it did, to kill the caller's process,
    to stand still for longer than a lease. The `preferred` calls fail `factor` times as often.
    """

    before: float = 0.0
    after: float = 0.0
    kill: float = 0.0
    stall: float = 0.0
    factor: float = 4.0
    preferred: tuple[str, ...] = FENCE

    def times(self, factor: float) -> "Faults":
        """The same, so many times as often."""
        return replace(
            self,
            before=self.before * factor,
            after=self.after * factor,
            kill=self.kill * factor,
            stall=self.stall * factor,
        )


@dataclass(frozen=True)
class Profile:
    """`deeds` weighs what the nemesis does, `buttons` what people press. Everything goes wrong in waves of `storm`
    microseconds with `lull` in between, in which what must happen within a time must happen. `lasts`: how long what was
    broken stays so. `older`: one worker is of an older version.
    """

    name: str
    services: tuple[str, ...]
    faults: Faults = Faults()
    deeds: Mapping[str, int] = field(default_factory=dict)
    gap: Span = (300_000, 2_500_000)
    lasts: Span = (500_000, 6 * SECOND)
    buttons: Mapping[str, int] = field(default_factory=lambda: dict(CALM_PEOPLE))
    ci: Span = (300_000, 3 * SECOND)
    people: Span = (200_000, 1_500_000)
    bad: float = 0.25
    storm: int = 9 * SECOND
    lull: int = 15 * SECOND
    waves: int = 2
    workers: int = 3
    older: bool = False


ANGRY_PEOPLE = {"approve": 40, "resume": 30, "pause": 8, "abort": 20, "reject": 2, "promote": 5, "again": 5}
FEW = Faults(before=0.002, after=0.002, kill=0.0003, factor=2)
ALL = ("queueing", "superseding", "switching", "asking", "withdrawing", "frozen", "cloning", "hooking", "comparing")

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("calm", ALL, FEW, {"edit": 2, "kill": 1, "apply": 2, "stop": 1, "monitor": 3}, ci=(200_000, SECOND)),
        Profile(
            "fence",
            ("queueing", "superseding"),
            Faults(before=0.004, after=0.006, kill=0.002, stall=0.008),
            {"write_fault": 4, "clock": 2, "kill": 2, "suspend": 2, "strip": 1, "edit": 1},
            buttons=ANGRY_PEOPLE,
            ci=(200_000, 1_500_000),
            storm=14 * SECOND,
            lull=6 * SECOND,
            waves=3,
        ),
        Profile(
            "failover",
            ("queueing", "superseding", "asking"),
            Faults(before=0.002, after=0.003, kill=0.001, stall=0.001),
            {"failover": 6, "kill": 1, "write_fault": 1, "edit": 1},
            buttons=ANGRY_PEOPLE,
            gap=(400_000, 3 * SECOND),
        ),
        Profile(
            "proxies",
            ("queueing", "superseding", "switching", "asking"),
            FEW,
            {"lag": 8, "exchange": 2, "edit": 2, "strip": 1, "stale": 2, "refuse": 1, "kill": 1},
            lasts=(500_000, 20 * SECOND),
            buttons={**CALM_PEOPLE, "accept": 10, "abort": 10},
            lull=20 * SECOND,
        ),
        Profile(
            "clocks",
            ALL,
            FEW,
            {"clock": 8, "kill": 1, "edit": 1, "stop": 1, "suspend": 1},
            ci=(200_000, 1_500_000),
        ),
        Profile(
            "workloads",
            ("queueing", "switching", "frozen", "superseding"),
            FEW,
            {
                "unready": 6,
                "crash": 3,
                "unreachable": 1,
                "metrics": 4,
                "hang": 4,
                "restart": 2,
                "chat": 2,
                "kill": 1,
                "monitor": 3,
            },
            buttons={**CALM_PEOPLE, "abort": 12, "again": 16, "promote": 8},
            bad=0.4,
        ),
        Profile(
            "outages",
            ALL,
            FEW,
            {"mesh_down": 6, "kill": 3, "suspend": 1, "chat": 1, "metrics": 1},
            lasts=(2 * SECOND, 12 * SECOND),
            buttons={**CALM_PEOPLE, "abort": 10},
            lull=22 * SECOND,
        ),
        Profile(
            "homes",
            ("cloning", "handing"),
            Faults(
                before=0.003,
                after=0.004,
                kill=0.002,
                stall=0.004,
                preferred=("workloads.promote", "ledger.holds", "ledger.commit", "mesh.write"),
            ),
            {"redeploy": 3, "unready": 2, "crash": 1, "unreachable": 2, "kill": 2, "lag": 2, "edit": 1, "suspend": 1},
            buttons={**CALM_PEOPLE, "abort": 14, "promote": 16, "again": 12},
            ci=(400_000, 2_500_000),
            bad=0.2,
        ),
        Profile(
            "hooks",
            ("hooking", "queueing"),
            Faults(
                before=0.002,
                after=0.004,
                kill=0.001,
                stall=0.002,
                preferred=("hooks.run", "ledger.holds", "ledger.commit", "mesh.write"),
            ),
            {
                "silence": 4,
                "hang": 3,
                "kill": 2,
                "suspend": 1,
                "failover": 1,
                "mesh_down": 1,
                "edit": 1,
                "clock": 1,
                "stop": 1,
            },
            buttons={**CALM_PEOPLE, "abort": 10, "promote": 8, "again": 12},
            ci=(400_000, 2_500_000),
            bad=0.15,
        ),
        Profile(
            "copies",
            ("comparing", "twinning"),
            Faults(
                before=0.002,
                after=0.003,
                kill=0.001,
                stall=0.002,
                preferred=("workloads.ensure", "workloads.retire", "ledger.commit", "mesh.write"),
            ),
            {"orphan": 8, "unready": 2, "unreachable": 1, "kill": 1, "mesh_down": 1, "metrics": 1, "edit": 1, "lag": 1},
            buttons={**CALM_PEOPLE, "abort": 12, "promote": 6, "again": 10},
            ci=(400_000, 2_500_000),
            bad=0.3,
        ),
        Profile(
            "everything",
            ALL,
            Faults(before=0.003, after=0.003, kill=0.001, stall=0.001),
            dict.fromkeys(EVERY_DEED, 1),
            older=True,
        ),
    )
}


def of_seed(seed: int) -> Profile:
    """The weather that a seed draws."""
    return list(PROFILES.values())[seed % len(PROFILES)]


Draw = Callable[[int], Profile]
"""The weather of a seed."""
HARSHER = 2


def short_of_seed(seed: int) -> Profile:
    """A short schedule: one harsh storm over one or two services of the same weather, in a quarter of the time."""
    return shortened(of_seed(seed), seed)


def shortened(profile: Profile, seed: int) -> Profile:
    """A short schedule of this weather."""
    random = Random(f"short {seed}")
    names = random.sample(profile.services, min(len(profile.services), random.choice((1, 1, 2))))
    return replace(
        profile,
        services=tuple(names),
        faults=profile.faults.times(HARSHER),
        storm=random.randrange(profile.storm // 2, profile.storm),
        lull=profile.lull * 2 // 3,
        waves=1,
        workers=random.choice((2, 3)),
    )
