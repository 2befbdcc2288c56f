"""Services, their targets, and plans."""

from collections.abc import Mapping, Sequence

from api.schemas.common import BesideOut
from api.schemas.service import GatePlan, PlanOut, ServiceOut, StagePlan, TargetOut
from api.views.common import time, version
from delivery.model.plan import Plan, Stage
from delivery.ports.rows import Row, ServiceRecord
from delivery.wording import hook
from delivery.wording import plan as wording
from delivery.wording.policy import limits
from delivery.wording.traffic import describe
from delivery.wording.units import duration, instant


def service(
    record: ServiceRecord, rows: Sequence[Row], broken: str = "", near: Mapping[str, BesideOut | None] | None = None
) -> ServiceOut:
    """`near` has, by cluster, what a deployer beside the newest release said of itself."""
    return ServiceOut(
        name=record.name,
        revision=record.revision,
        digest=record.digest,
        applied_at=instant(record.applied_at),
        applied_by=record.applied_by,
        document=dict(record.document),
        targets=[_target(row, (near or {}).get(row.target.cluster)) for row in rows],
        broken=broken or None,
    )


def _target(row: Row, deployer: BesideOut | None) -> TargetOut:
    target = row.target
    return TargetOut(
        cluster=target.cluster,
        stable=version(target.stable) if target.stable else None,
        active=target.active,
        queue=list(target.queue),
        last=target.last,
        due_at=time(row.due_at),
        waits_for=row.due_why,
        deployer=deployer,
        paused=target.in_hand,
        quarantined=row.quarantined,
    )


def plan(name: str, compiled: Plan, outlook: Sequence[str] | None = None) -> PlanOut:
    return PlanOut(
        service=name,
        stages=[_stage(compiled, stage) for stage in compiled.stages],
        gates=[
            GatePlan(
                id=spec.id, kind=spec.kind, params=dict(spec.params), blocking=spec.blocking, text=wording.gate(spec)
            )
            for spec in compiled.gates
        ],
        hooks=[hook.describe(spec, compiled) for spec in compiled.hooks],
        promotion=wording.ending(compiled),
        at_least=duration(wording.at_least(compiled)),
        text=list(wording.describe(compiled)),
        outlook=list(outlook) if outlook is not None else None,
    )


def _stage(compiled: Plan, stage: Stage) -> StagePlan:
    return StagePlan(
        name=stage.name,
        strategy=stage.strategy,
        traffic=describe(stage.traffic),
        limits=limits(stage.traffic.policy) if stage.traffic.policy else None,
        at_least=duration(stage.bake),
        at_most=duration(stage.deadline),
        min_requests=stage.min_requests,
        gates=list(stage.gates),
        approval=wording.approval(stage.approval) if stage.approval else None,
        text=wording.step(stage, compiled),
    )
