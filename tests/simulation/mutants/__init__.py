"""Every mistake that the simulation must find. If one survives, the world is too small."""

from dataclasses import replace

from tests.simulation.mutants import copies, engine, homes, hooks, ports
from tests.simulation.mutants.mutant import Mutant, only
from tests.simulation.profiles import PROFILES, Faults

SLOW_WRITES = replace(
    PROFILES["fence"],
    name="slow writes",
    services=("queueing",),
    faults=Faults(stall=0.02, factor=12.0, preferred=("mesh.write", "mesh.read", "ledger.holds")),
    deeds={"write_fault": 1},
    buttons={"abort": 60, "approve": 5, "resume": 5},
)
"""Writes that arrive long after they were decided, when people have said no meanwhile."""
LATE_WRITES = replace(
    SLOW_WRITES,
    name="late writes",
    faults=Faults(),
    gap=(100_000, 500_000),
    lasts=(1_000_000, 4_000_000),
    people=(100_000, 500_000),
    storm=40_000_000,
    waves=1,
)
"""A mesh that applies writes long after it had given up on them."""
EDITED = replace(
    PROFILES["calm"], name="edited", services=("asking",), deeds={"edit": 1}, gap=(200_000, 800_000), bad=0.0
)
"""Routes that are left as somebody else wrote them, also while the versions they name are to go."""
HURRIED = replace(
    PROFILES["homes"],
    name="hurried",
    services=("cloning",),
    faults=Faults(stall=0.0005, factor=600.0, preferred=("workloads.write",)),
    deeds={},
    buttons={"promote": 60, "abort": 40},
    people=(100_000, 500_000),
    storm=30_000_000,
    bad=0.0,
)
"""People who promote and think better of it, while what was decided before is on its way."""
HARD_TO_REACH = replace(
    HURRIED, name="hard to reach", faults=Faults(before=0.02, factor=25.0, preferred=("workloads.promote",))
)
"""Owners' workloads that can mostly not be changed at the first try."""
AT_HOME = replace(PROFILES["homes"], name="at home", services=("cloning",), deeds={"lag": 4}, bad=0.0)
"""Releases that mostly get home."""

FAULTY = replace(
    PROFILES["calm"],
    name="faulty",
    services=("queueing", "superseding"),
    deeds={"fault": 1},
    gap=(2_000_000, 6_000_000),
    lasts=(20_000_000, 40_000_000),
    storm=45_000_000,
    waves=1,
)
"""Faults of ours that stay, at one target and another."""
HANGING = replace(
    PROFILES["calm"],
    name="hanging",
    services=("queueing", "superseding", "hooking"),
    deeds={"hang": 1},
    gap=(500_000, 2_000_000),
    lasts=(5_000_000, 15_000_000),
    buttons={"abort": 60, "approve": 20},
    people=(100_000, 500_000),
    storm=30_000_000,
    waves=1,
    workers=1,
)
"""What takes every call and answers none, and people who say no meanwhile; there is one worker, and it lives."""
HOOKS, COPIES = PROFILES["hooks"], PROFILES["copies"]
ORPHANED = replace(
    COPIES,
    name="orphaned",
    services=("twinning",),
    faults=Faults(),
    deeds={"orphan": 1},
    gap=(200_000, 800_000),
    lasts=(20_000_000, 40_000_000),
    buttons={"abort": 1},
    ci=(5_000_000, 9_000_000),
    people=(8_000_000, 20_000_000),
    bad=0.0,
    lull=40_000_000,
)
"""Copies of stable that die and stay so for long; a release may last beside one that has died."""

MUTANTS: tuple[Mutant, ...] = (
    Mutant("fence check removed", "invariant 9:", PROFILES["fence"], only(ports.NoCheck, "ledger")),
    Mutant("blind PUT", "invariant 9:", SLOW_WRITES, only(ports.BlindPut, "mesh")),
    Mutant("GET after the database check", "invariant 9:", SLOW_WRITES, patched=engine.reads_after_the_check),
    Mutant("write skipped when live equals desired", "invariant 7:", LATE_WRITES, patched=engine.skips_equal),
    Mutant(
        "no head check after failover",
        ("invariant 6:", "invariant 17:"),
        PROFILES["failover"],
        patched=engine.no_head_check,
    ),
    Mutant("confirm without token", "invariant 11:", PROFILES["proxies"], only(ports.ConfirmWithoutToken, "mesh")),
    Mutant("epoch as the token", "invariant 11:", PROFILES["proxies"], only(ports.EpochAsToken, "mesh")),
    Mutant(
        "successor starts before 0 is confirmed", "invariant 17:", PROFILES["proxies"], patched=engine.successor_at_once
    ),
    Mutant("close and start in two commits", "invariant 2:", PROFILES["calm"], patched=engine.two_commits),
    Mutant("no version check at commit", "invariant 10:", PROFILES["fence"], only(ports.NoVersionCheck, "ledger")),
    Mutant("outbox outside the commit", "invariant 14:", PROFILES["fence"], only(ports.OutboxOutside, "ledger")),
    Mutant("verdict not committed before the revert", "invariant 5:", PROFILES["calm"], patched=engine.effects_first),
    Mutant("no-op moves the version", "invariant 13:", PROFILES["calm"], patched=engine.no_op_moves_the_version),
    Mutant("bake by wall clock", "invariant 11:", PROFILES["clocks"], patched=engine.bakes_by_the_wall),
    Mutant("revert obeys holds", "invariant 7:", PROFILES["workloads"], patched=engine.revert_obeys_holds),
    Mutant("revert waits for metrics", "invariant 7:", HANGING, patched=engine.revert_waits_for_metrics),
    Mutant("an order to go back leaves the claim", "invariant 7:", HANGING, patched=engine.claim_stays),
    Mutant("retire without a look at the routes", "retire:", EDITED, only(ports.RetireBlindly, "mesh")),
    Mutant("plan recompiled on load", "invariant 3:", PROFILES["calm"], only(ports.PlanAgain, "ledger")),
    Mutant(
        "stable pointer moved outside Promoted", "one commit:", PROFILES["calm"], patched=engine.pointer_moves_early
    ),
    Mutant(
        "a worker that cleans up in finally",
        ("invariant 7:", "invariant 15:"),
        PROFILES["outages"],
        only(ports.LongLease, "ledger"),
        engine.cleans_up_at_the_end,
    ),
    Mutant("an exception backs off for ever", "invariant 2:", FAULTY, patched=engine.backs_off_for_ever),
    Mutant("home entered before it is ready", "home:", AT_HOME, patched=homes.enters_at_once),
    Mutant("home changed before that is stored", "home:", AT_HOME, patched=homes.patches_first),
    Mutant("home changed by whoever lost the target", "home:", HURRIED, only(homes.NeverAsks, "workloads")),
    Mutant("home changed by an older decision", "home:", HURRIED, only(homes.NoToken, "workloads")),
    Mutant("over before home is back", "home:", HARD_TO_REACH, patched=homes.ends_before_home_is_back),
    Mutant(
        "copy goes before home is proven", "retire:", AT_HOME, only(ports.RetireBlindly, "mesh"), homes.copy_goes_early
    ),
    Mutant("raise before capacity", "capacity:", AT_HOME, patched=homes.raises_before_capacity),
    Mutant("stage does not wait for its hook", "invariant 5:", HOOKS, patched=hooks.waits_for_none),
    Mutant("revert waits for a hook", "invariant 7:", HOOKS, patched=hooks.revert_waits),
    Mutant("hook called before that is stored", "hook:", HOOKS, patched=hooks.called_first),
    Mutant("hook called otherwise when asked again", "hook:", HOOKS, patched=hooks.another_name),
    Mutant("hook called by whoever lost the target", "hook:", HOOKS, patched=hooks.nobody_asked),
    Mutant("revert waits for the copy of stable", "invariant 7:", ORPHANED, patched=copies.revert_waits),
    Mutant("a copy of stable that is gone counts as good", "copy:", ORPHANED, patched=copies.gone_is_good),
    Mutant("a copy of stable that is gone keeps its share", "copy:", ORPHANED, patched=copies.keeps_its_share),
    Mutant("stage before its copy of stable", "copy:", COPIES, patched=copies.before_it_is_ready),
)
