"""What the proxies answered. Only a confirmation of the live `dseq` advances anything."""

from delivery.machine import path
from delivery.machine.holds import placed
from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model import event as events
from delivery.model.context import Context
from delivery.model.event import (
    Cause,
    CauseKind,
    DriftCorrected,
    HoldLifted,
    MeshFailing,
    MeshRecovered,
    Phase,
    TrafficConfirmed,
)
from delivery.model.hold import HoldKind
from delivery.model.ids import MINUTE, Micros
from delivery.model.release import Release
from delivery.model.signal import Confirmed, Drifted, HistoryLost, MeshDown, MeshUp, Nacked, Unconfirmed

STORM = 5
"""Corrections within STORM_WINDOW that make a storm: somebody else writes the route as we do."""
STORM_WINDOW = MINUTE
STORM_QUIET = Micros(5 * MINUTE)
"""A storm is over after this long without a correction."""


def confirmed(release: Release, signal: Confirmed, context: Context) -> Events:
    """Proven at every proxy. Said once; a confirmation of an older traffic, or of a capped one, proves nothing."""
    if signal.dseq != release.dseq or release.confirmed == release.dseq or path.capped(release):
        return NOTHING
    at = moment(release, context)
    proven = TrafficConfirmed(at=at, dseq=signal.dseq, level=signal.level, proxies=signal.proxies)
    if release.held(HoldKind.STRAGGLERS):
        return (HoldLifted(at=at, kind=HoldKind.STRAGGLERS), proven)
    return (proven,)


def unconfirmed(release: Release, signal: Unconfirmed, context: Context) -> Events:
    """The grace time is over and some proxies have not proven it: they are named."""
    late = signal.dseq == release.dseq and release.confirmed != release.dseq
    if not late or path.capped(release) or release.held(HoldKind.STRAGGLERS):
        return NOTHING
    return (placed(HoldKind.STRAGGLERS, moment(release, context), ", ".join(signal.stragglers)),)


def refused(release: Release, signal: Nacked, context: Context) -> Events:
    """A proxy will not take the way up: back to what it did take."""
    if signal.dseq != release.dseq:
        return NOTHING
    then = Phase.FAILED_TO_START if release.phase is Phase.PREPARING else Phase.ROLLED_BACK
    return revert(release, moment(release, context), Cause(CauseKind.MESH_REFUSED, reason=signal.text), then)


def refused_again(release: Release, signal: Nacked, context: Context) -> Events:
    """Refused on the way back, or while it bakes: traffic stays as it was, it is tried again, people are told once."""
    if signal.dseq != release.dseq or release.mesh_failing:
        return NOTHING
    return (MeshFailing(at=moment(release, context), detail=signal.text),)


def down(release: Release, signal: MeshDown, context: Context) -> Events:
    """Said once for a row of failures. Never advances, never reverts."""
    return NOTHING if release.mesh_failing else (MeshFailing(at=moment(release, context), detail=signal.detail),)


def up(release: Release, signal: MeshUp, context: Context) -> Events:
    """The end of a row of failures."""
    return (MeshRecovered(at=moment(release, context)),) if release.mesh_failing else NOTHING


def drifted(release: Release, signal: Drifted, context: Context) -> Events:
    """Somebody changed the route; it was put back. Many times in a minute is a storm, of which no more is said."""
    at = moment(release, context)
    found = DriftCorrected(at=at, detail=signal.detail)
    recent = 1 + sum(at - earlier <= STORM_WINDOW for earlier in release.drifts)
    storm = placed(HoldKind.DRIFT_STORM, at, signal.detail, until=Micros(at + STORM_QUIET))
    held = next((hold for hold in release.holds if hold.kind is HoldKind.DRIFT_STORM), None)
    if held is not None:
        still_long = (held.until or at) - at > STORM_QUIET // 2
        return NOTHING if still_long else (storm,)
    if max(signal.corrections, recent) < STORM:
        return (found,)
    return NOTHING if HoldKind.DRIFT_STORM in release.waived else (found, storm)


def history_lost(release: Release, signal: HistoryLost, context: Context) -> Events:
    """The route knows of commits that the database lost. Until a person decides it stays as it is, unless the release
    goes back; from then on, until the stage is entered anew, nothing above the lower of live and recorded is written.

    That is another traffic than the one that some proxies had not proven.
    """
    held = release.held(HoldKind.HISTORY_LOST)
    if held and (release.ceiling is None or signal.live_weight >= release.ceiling):
        return NOTHING
    at = moment(release, context)
    found = events.HistoryLost(at=at, detail=signal.detail, live_weight=signal.live_weight)
    if held:
        return (found,)
    lifted = (HoldLifted(at=at, kind=HoldKind.STRAGGLERS),) if release.held(HoldKind.STRAGGLERS) else ()
    return (*lifted, found, placed(HoldKind.HISTORY_LOST, at, signal.detail))
