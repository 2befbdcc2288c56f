"""The stages of a release, as its events tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.schemas.release import ApprovalOut, NeedsOut, SplitOut, StageOut
from api.views.common import time
from api.views.gates import gate
from delivery.model import event as events
from delivery.model.event import CauseKind, Event, Level
from delivery.model.ids import GateId, Micros
from delivery.model.plan import Approval, Plan
from delivery.model.release import Release
from delivery.model.shares import Shares
from delivery.model.traffic import ALL_CANDIDATE, Traffic
from delivery.model.verdict import Judgement
from delivery.wording.traffic import describe
from delivery.wording.units import instant

_FAILED = frozenset(
    {
        CauseKind.GATE_FAILED,
        CauseKind.ALERT,
        CauseKind.MESH_REFUSED,
        CauseKind.CANDIDATE_FAILING,
        CauseKind.HOOK_FAILED,
    }
)


@dataclass(slots=True)
class _Walk:
    """What was seen of one stage (or of the promotion, which is the one after the last)."""

    state: str = "pending"
    entered: Micros | None = None
    dseq: int = 0
    level: Level | None = None
    judgements: dict[GateId, Judgement] = field(default_factory=dict)
    approvals: list[ApprovalOut] = field(default_factory=list)


def stages(
    release: Release,
    history: Sequence[tuple[int, Event]],
    shares: Shares,
    measured: tuple[int, Sequence[Judgement]] = (-1, ()),
) -> tuple[list[StageOut], StageOut]:
    """The plan's stages, and the promotion. `measured` is the stage that was measured last, and its gates by now."""
    plan = release.plan
    walks = _walk(plan, history, over=release.phase.closed or release.then is not None)
    last, judgements = measured
    _judged(walks[last], judgements)
    observed = _observed(shares)
    shown = [
        _stage(stage.name, stage.traffic, stage.approval, walk, observed.get(index))
        for index, (stage, walk) in enumerate(zip(plan.stages, walks, strict=False))
    ]
    return shown, _stage("promotion", ALL_CANDIDATE, plan.promotion, walks[-1], None)


def _walk(plan: Plan, history: Sequence[tuple[int, Event]], over: bool) -> list[_Walk]:
    walks = [_Walk() for _ in range(len(plan.stages) + 1)]
    live = -1
    for seq, event in history:
        match event:
            case events.StageEntered(stage=stage):
                live = _enter(walks, stage, seq, event.at)
            case events.PromotionBegun():
                live = _enter(walks, len(walks) - 1, seq, event.at)
            case events.BaselineLost(had_share=True) if live >= 0:
                walks[live].dseq, walks[live].level = seq, None
            case _ if live >= 0:
                _happen(walks[live], event)
        _end(walks, event)
    if over:
        for walk in walks:
            walk.state = "not_reached" if walk.state == "pending" else walk.state
    return walks


def _happen(live: _Walk, event: Event) -> None:
    """What concerns the stage that is live."""
    match event:
        case events.TrafficConfirmed(dseq=dseq, level=level) if dseq == live.dseq:
            live.level = level
            live.state = "baking" if live.state == "shifting" else live.state
        case events.VerdictChanged(judgement=judgement):
            _judged(live, (judgement,))
        case events.RollbackBegun(cause=cause) if live.state in ("shifting", "baking"):
            live.state = "failed" if cause.kind in _FAILED else "stopped"


def _end(walks: list[_Walk], event: Event) -> None:
    """What names its stage itself."""
    match event:
        case events.Approved(stage=stage):
            walks[stage].approvals.append(
                ApprovalOut(actor=event.actor, at=instant(event.at), via=event.via, reason=event.reason)
            )
        case events.StagePassed(stage=stage, judgements=judgements):
            walks[stage].state = "passed"
            _judged(walks[stage], judgements)
        case events.StageSkipped(stage=stage):
            walks[stage].state = "skipped"
        case events.Promoted():
            walks[-1].state = "passed"


def _judged(walk: _Walk, judgements: Sequence[Judgement]) -> None:
    walk.judgements |= {judgement.gate: judgement for judgement in judgements}


def _enter(walks: list[_Walk], stage: int, seq: int, at: Micros) -> int:
    walk = walks[stage]
    walk.state, walk.entered, walk.dseq, walk.level = "shifting", at, seq, None
    return stage


def _stage(name: str, traffic: Traffic, approval: Approval | None, walk: _Walk, observed: float | None) -> StageOut:
    return StageOut(
        name=name,
        state=walk.state,
        traffic=describe(traffic),
        split=SplitOut(
            desired=traffic.weight,
            confirmed=traffic.weight if walk.level else None,
            level=walk.level.value if walk.level else None,
            observed=observed,
        ),
        entered_at=time(walk.entered),
        needs=NeedsOut(count=approval.count, group=approval.group) if approval else None,
        approvals=walk.approvals,
        analysis=[gate(judgement) for _, judgement in sorted(walk.judgements.items())],
    )


def _observed(shares: Shares) -> Mapping[int, float]:
    """The candidate's share of the requests that were counted, in percent, by stage."""
    return {stage: round(100 * candidate / total, 1) for stage, (candidate, total) in shares.stages.items() if total}
