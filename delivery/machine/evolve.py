"""Applying stored facts. Dumb and total: no clock, no rules, nothing is decided here.

Old events go through this and nothing else, so a change of the rules can never break an old release. A change here
changes what old events mean: `tests/histories` keeps their bytes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from delivery.machine import hooks
from delivery.machine.deadlines import left
from delivery.model import event as events
from delivery.model.event import Cause, CauseKind, Event, Phase
from delivery.model.frozen import replace
from delivery.model.hold import Hold, HoldKind, Word
from delivery.model.hook import When
from delivery.model.ids import Micros
from delivery.model.place import Mode
from delivery.model.release import Bound, Home, Release

KNOWN_LATER_TOO = frozenset({HoldKind.STABLE_UNREADY, HoldKind.HISTORY_LOST, HoldKind.QUARANTINED})
"""Holds that are knowledge about the world: they outlive the stage that a revert ends."""
DRIFTS_KEPT = 8


def evolve(release: Release | None, event: Event) -> Release:
    """The release after the event. Raises ValueError where Created is not exactly the first one."""
    if isinstance(event, events.Created):
        if release is not None:
            raise ValueError(f"{release.id} was created twice")
        return _created(event)
    if release is None:
        raise ValueError(f"a history begins with Created, not with {type(event).__name__}")
    numbered = replace(release, seq=release.seq + 1, at=event.at)
    return _APPLY[type(event)](numbered, event)


def fold(history: Iterable[Event]) -> Release:
    """The release that a history makes. Raises ValueError for one that is empty or does not begin with Created."""
    release: Release | None = None
    for event in history:
        release = evolve(release, event)
    if release is None:
        raise ValueError("a history without events makes no release")
    return release


def _created(event: events.Created) -> Release:
    return Release(
        id=event.release,
        number=event.number,
        target=event.target,
        candidate=event.candidate,
        actor=event.actor,
        plan=event.plan,
        plan_digest=event.plan_digest,
        created_at=event.at,
        at=event.at,
        seq=1,
        retry_of=event.retry_of,
        rolls_back=event.rolls_back,
        urgent=event.urgent,
        origin=event.origin,
    )


def _started(release: Release, event: events.Started) -> Release:
    bound = Bound(event.stable, release.candidate)
    within = release.plan.appear_within
    return replace(release, phase=Phase.PREPARING, bound=bound, deadline_left=within, deadline_at=event.at)


def _stable_found(release: Release, event: events.StableFound) -> Release:
    """Only now the candidate can be started: its time to appear begins."""
    found = replace(release, bound=Bound(event.stable, release.candidate), looked=True)
    return replace(found, deadline_left=release.plan.appear_within, deadline_at=event.at)


def _candidate_ready(release: Release, event: events.CandidateReady) -> Release:
    return replace(release, ready=True, share=event.share)


def _stage_entered(release: Release, event: events.StageEntered) -> Release:
    stage, seen = release.plan.stages[event.stage], release.plan.mode is Mode.OBSERVE
    again = event.stage == release.stage
    anew = again and release.ceiling is None  # with a copy of stable that has come back
    alone = HoldKind.BASELINE_UNREADY in release.waived and not event.compared
    return replace(
        _desires(release, stage.traffic.weight),
        phase=Phase.BAKING if seen else Phase.SHIFTING,
        stage=event.stage,
        entered_at=event.at,
        confirmed_at=event.at if seen else Micros(0),
        deadline_left=left(release, event.at) if anew else stage.deadline,
        deadline_at=event.at,
        verdicts={},
        waived=(*(_decided(release) if again and not anew else ()), *((HoldKind.BASELINE_UNREADY,) if alone else ())),
        compared=event.compared,
    )


def _decided(release: Release) -> tuple[HoldKind, ...]:
    """What a person said of lost history is about the route as it was found, and holds until that is written over."""
    return tuple(kind for kind in release.waived if kind is HoldKind.HISTORY_LOST)


def _baseline_ready(release: Release, event: events.BaselineReady) -> Release:
    return replace(release, baseline=event.share)


def _baseline_lost(release: Release, event: events.BaselineLost) -> Release:
    """Where it had a share, another traffic is desired, and has to be proven anew; the stage's clock goes on. What a
    person said of lost history is carried out by then, if what it led to was proven.
    """
    lost = replace(release, baseline=None, compared=None)
    if not event.had_share:
        return lost
    proven = release.confirmed == release.dseq
    waived = tuple(kind for kind in release.waived if not (proven and kind is HoldKind.HISTORY_LOST))
    moved = replace(lost, dseq=release.seq, level=None, waived=waived)
    return replace(moved, phase=Phase.SHIFTING) if release.phase is Phase.BAKING else moved


def _desires(release: Release, weight: int) -> Release:
    """A new desired traffic: this event's number is its dseq. Where nothing is moved, nothing has to be proven."""
    return replace(
        release,
        dseq=release.seq,
        confirmed=release.seq if release.plan.mode is Mode.OBSERVE else release.confirmed,
        level=None,
        exposed=max(release.exposed, weight),
        shifted_at=release.at if release.shifted_at is None else release.shifted_at,
        ceiling=None,
    )


def _traffic_confirmed(release: Release, event: events.TrafficConfirmed) -> Release:
    confirmed = replace(release, confirmed=event.dseq, level=event.level)
    if release.phase is not Phase.SHIFTING:
        return confirmed
    return replace(confirmed, phase=Phase.BAKING, confirmed_at=event.at)


def _verdict_changed(release: Release, event: events.VerdictChanged) -> Release:
    return replace(release, verdicts={**release.verdicts, event.judgement.gate: event.judgement})


def _approved(release: Release, event: events.Approved) -> Release:
    key = (event.stage, event.dseq)
    votes = (*release.approvals.get(key, ()), event.actor)
    return replace(release, approvals={**release.approvals, key: votes})


def _override_approved(release: Release, event: events.OverrideApproved) -> Release:
    others = (word for word in release.overrides or () if (word.kind, word.actor) != (event.kind, event.actor))
    return replace(release, overrides=(*others, Word(event.kind, event.actor, event.until)))


def _unchanged(release: Release, event: Event) -> Release:
    return release


def _hold_placed(release: Release, event: events.HoldPlaced) -> Release:
    return _with_holds(release, (*_without(release, event.hold.kind), event.hold))


def _hold_lifted(release: Release, event: events.HoldLifted) -> Release:
    others = tuple(kind for kind in release.waived if kind is not event.kind)
    said = tuple(word for word in release.overrides or () if word.kind is not event.kind) or None
    lifted = replace(_with_holds(release, _without(release, event.kind)), waived=others, overrides=said)
    if event.by is None:
        return lifted
    if event.kind is HoldKind.FREEZE:
        lifted = replace(lifted, freeze_lifted_at=event.at)
    if event.kind is HoldKind.HOOK:
        lifted = replace(lifted, hooks=hooks.with_waived(lifted))
    return replace(lifted, waived=(*others, event.kind))


def _without(release: Release, kind: HoldKind) -> tuple[Hold, ...]:
    return tuple(hold for hold in release.holds if hold.kind is not kind)


def _with_holds(release: Release, holds: tuple[Hold, ...]) -> Release:
    """Other holds; the clock is read while the old ones are still there."""
    return replace(release, holds=holds, deadline_left=left(release, release.at), deadline_at=release.at)


def _stage_passed(release: Release, event: events.StagePassed) -> Release:
    found = {judgement.gate: judgement for judgement in event.judgements}
    return replace(release, passed=event.stage, verdicts={**release.verdicts, **found})


def _stage_skipped(release: Release, event: events.StageSkipped) -> Release:
    cause = Cause(CauseKind.PROMOTED_BY_PERSON, actor=event.actor, reason=event.reason, via=event.via)
    return replace(release, passed=event.stage, cause=cause, hooks=hooks.with_left(release, event.stage))


def _promotion_begun(release: Release, event: events.PromotionBegun) -> Release:
    return replace(_desires(release, 100), phase=Phase.PROMOTING, cause=event.cause)


def _home_begun(release: Release, event: events.HomeBegun) -> Release:
    return replace(release, home=Home.BEGUN)


def _home_entered(release: Release, event: events.HomeEntered) -> Release:
    return replace(_desires(release, 0), home=Home.ENTERED)


def _home_restored(release: Release, event: events.HomeRestored) -> Release:
    return replace(release, home=None)


def _promoted(release: Release, event: events.Promoted) -> Release:
    return replace(release, phase=Phase.PROMOTED, holds=(), finished_at=event.at)


def _rollback_begun(release: Release, event: events.RollbackBegun) -> Release:
    return replace(
        release,
        phase=Phase.ROLLING_BACK,
        dseq=release.seq,
        level=None,
        cause=event.cause,
        then=event.then,
        stay=event.stay,
        overrides=None,
        whole=True if event.stay and release.phase is Phase.PROMOTING else None,
        holds=tuple(hold for hold in release.holds if hold.kind in KNOWN_LATER_TOO),
        hooks=hooks.with_left(release),
    )


def _closed(release: Release, event: events.Closed) -> Release:
    left_alone = hooks.with_left(release)
    return replace(release, phase=event.phase, cause=event.cause, holds=(), finished_at=event.at, hooks=left_alone)


def _drift_corrected(release: Release, event: events.DriftCorrected) -> Release:
    return replace(release, drifts=(*release.drifts, event.at)[-DRIFTS_KEPT:])


def _mesh_failing(release: Release, event: events.MeshFailing) -> Release:
    return replace(release, mesh_failing=True, mesh_trouble=event.detail)


def _mesh_recovered(release: Release, event: events.MeshRecovered) -> Release:
    return replace(release, mesh_failing=False, mesh_trouble="")


def _history_lost(release: Release, event: events.HistoryLost) -> Release:
    return replace(release, ceiling=event.live_weight)


def _hook_begun(release: Release, event: events.HookBegun) -> Release:
    return replace(release, hooks=hooks.with_begun(release, event))


def _hook_ended(release: Release, event: events.HookEnded) -> Release:
    """Only after the last one at the start the candidate may be started: its time to appear begins."""
    ended = replace(release, hooks=hooks.with_ended(release, event))
    return replace(ended, deadline_at=event.at) if event.step.when is When.START else ended


_APPLY: Mapping[type[Event], Callable[[Release, Any], Release]] = {
    events.Started: _started,
    events.CandidateReady: _candidate_ready,
    events.StageEntered: _stage_entered,
    events.TrafficConfirmed: _traffic_confirmed,
    events.VerdictChanged: _verdict_changed,
    events.Approved: _approved,
    events.Rejected: _unchanged,
    events.HoldPlaced: _hold_placed,
    events.HoldLifted: _hold_lifted,
    events.StagePassed: _stage_passed,
    events.StageSkipped: _stage_skipped,
    events.PromotionBegun: _promotion_begun,
    events.Promoted: _promoted,
    events.RollbackBegun: _rollback_begun,
    events.Closed: _closed,
    events.DriftCorrected: _drift_corrected,
    events.MeshFailing: _mesh_failing,
    events.MeshRecovered: _mesh_recovered,
    events.HistoryLost: _history_lost,
    events.StableFound: _stable_found,
    events.HomeBegun: _home_begun,
    events.HomeEntered: _home_entered,
    events.HomeRestored: _home_restored,
    events.OverrideApproved: _override_approved,
    events.HookBegun: _hook_begun,
    events.HookEnded: _hook_ended,
    events.BaselineReady: _baseline_ready,
    events.BaselineLost: _baseline_lost,
}
