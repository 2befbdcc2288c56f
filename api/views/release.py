"""A release for people and programs, from what the ledger and the history hold."""

from collections.abc import Sequence

from api.schemas.release import CauseOut, ExposureOut, HoldOut, HookOut, ReleaseDetail, ReleaseOut
from api.views.common import state, time, url, version
from api.views.stages import stages
from delivery.model import event as events
from delivery.model.event import Cause, Event
from delivery.model.hold import Hold
from delivery.model.hook import HookRun
from delivery.model.release import Release
from delivery.model.shares import Shares
from delivery.model.verdict import Judgement
from delivery.ports.rows import Measuring
from delivery.wording.cause import because
from delivery.wording.hold import what
from delivery.wording.release import headline, reverted_in, target
from delivery.wording.units import instant


def summary(base: str, release: Release) -> ReleaseOut:
    service, cluster = target(release)
    stable = release.bound.stable if release.bound else None
    return ReleaseOut(
        id=release.id,
        number=release.number,
        service=service,
        cluster=cluster,
        state=state(release.phase),
        from_=version(stable) if stable else None,
        to=version(release.candidate),
        actor=release.actor,
        created_at=instant(release.created_at),
        finished_at=time(release.finished_at),
        text=headline(release),
        links=_links(base, release),
    )


def detail(
    base: str,
    release: Release,
    history: Sequence[tuple[int, Event]],
    shares: Shares,
    measuring: Measuring | None,
    actions: Sequence[str],
    judgements: Sequence[Judgement] = (),
) -> ReleaseDetail:
    """`judgements` are those of the gates of the stage that was measured last."""
    shown, promotion = stages(release, history, shares, (measuring.stage if measuring else -1, judgements))
    return ReleaseDetail(
        **summary(base, release).model_dump(),
        exposure=_exposure(release, measuring),
        urgent=release.urgent,
        mesh_failing=release.mesh_failing and not release.phase.closed,
        retry_of=release.retry_of,
        rolls_back=release.rolls_back,
        holds=[_hold(one) for one in release.holds],
        hooks=[_hook(one, release) for one in release.hooks],
        stages=shown,
        promotion=promotion,
        cause=_cause(release.cause),
        reverted_in=_reverted_in(history),
        actions=list(actions),
        origin=dict(release.origin),
    )


def _links(base: str, release: Release) -> dict[str, str]:
    here = url(base, release.id)
    parts = {part: f"{here}/{part}" for part in ("events", "analysis", "stream")}
    links = {"self": here, "html": f"{base}/releases/{release.id}", **parts}
    for name, other in (("retry_of", release.retry_of), ("rolls_back", release.rolls_back)):
        if other is not None:
            links[name] = url(base, other)
    if "run_url" in release.origin:
        links["run"] = release.origin["run_url"]
    return links


def _exposure(release: Release, measuring: Measuring | None) -> ExposureOut:
    seen = measuring.totals[0] if measuring else None
    return ExposureOut(
        max_percent=release.exposed, requests=seen.requests if seen else 0, failed=seen.errors if seen else 0
    )


def _hold(hold: Hold) -> HoldOut:
    return HoldOut(
        kind=hold.kind.value,
        since=instant(hold.since),
        until=time(hold.until),
        by=hold.by,
        detail=hold.detail,
        text=what(hold),
    )


def _hook(run: HookRun, release: Release) -> HookOut:
    stage = run.step.stage
    return HookOut(
        hook=run.hook,
        when=run.step.when.value,
        stage=None if stage is None else release.plan.stages[stage].name,
        attempt=run.attempt,
        state=run.state.value,
        begun_at=instant(run.begun),
        ended_at=time(run.ended),
        detail=run.detail,
    )


def _cause(cause: Cause | None) -> CauseOut | None:
    if cause is None:
        return None
    return CauseOut(
        type=cause.kind.value,
        actor=cause.actor,
        gate=cause.judgement.gate if cause.judgement else None,
        reason=cause.reason,
        other=cause.other,
        text=because(cause),
    )


def _reverted_in(history: Sequence[tuple[int, Event]]) -> str | None:
    """From the first decision to go back to the proof of the newest one."""
    began, dseq = None, 0
    for seq, event in history:
        if isinstance(event, events.RollbackBegun):
            began, dseq = event.at if began is None else began, seq
        elif isinstance(event, events.TrafficConfirmed) and began is not None and event.dseq == dseq:
            return reverted_in(began, event.at)
    return None
