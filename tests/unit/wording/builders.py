"""A release in the middle of a canary, to be changed where a test needs it otherwise."""

from dataclasses import replace
from typing import Any

from delivery.model.event import Level, Phase
from delivery.model.ids import MINUTE, GateId, Micros, Principal, ReleaseId, TargetId
from delivery.model.plan import Approval, Plan, Stage
from delivery.model.release import Bound, Release
from delivery.model.traffic import Traffic
from delivery.model.verdict import Judgement, Side, Verdict
from delivery.model.version import VersionRef

NOW = Micros(1_795_514_531_000_000)  # 2026-11-24 10:02:11 UTC
STABLE = VersionRef("1.4.1", "sha256:77a")
CANDIDATE = VersionRef("1.4.2", "sha256:9f2c")


def stage(name: str, weight: int, **changes: Any) -> Stage:
    fields: dict[str, Any] = {
        "bake": Micros(5 * MINUTE),
        "deadline": Micros(15 * MINUTE),
        "gates": (GateId("errors"),),
        **changes,
    }
    return Stage(name, "canary", Traffic(weight=weight), **fields)


PLAN = Plan(
    stages=(
        stage("canary 1%", 1),
        stage("canary 5%", 5),
        stage("canary 25%", 25, approval=Approval(1, "sre")),
        stage("canary 50%", 50),
    )
)

ERRORS = Judgement(GateId("errors"), Verdict.FAIL, Side(41, 812), Side(160, 9950), ratio=3.104, interval=(2.2, 4.4))


def release(**changes: Any) -> Release:
    running = Release(
        id=ReleaseId("rel_01JD"),
        number=412,
        target=TargetId("checkout@prod-eu"),
        candidate=CANDIDATE,
        actor=Principal("alice"),
        plan=PLAN,
        plan_digest="d",
        created_at=NOW,
        at=Micros(NOW + 8 * MINUTE),
        phase=Phase.BAKING,
        seq=9,
        bound=Bound(STABLE, CANDIDATE),
        stage=1,
        entered_at=Micros(NOW + 6 * MINUTE),
        dseq=7,
        confirmed=7,
        level=Level.PROBED,
    )
    return replace(running, **changes)
