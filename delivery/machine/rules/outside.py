"""What happens around a release: alerts, newer versions, the stable one asked for again."""

from delivery.machine.rules.common import NOTHING, Events, moment, revert
from delivery.model.context import Context
from delivery.model.event import Cause, CauseKind, Closed, Phase
from delivery.model.release import Release
from delivery.model.signal import AlertFired, StableAgain, SupersededBy


def alerted(release: Release, signal: AlertFired, context: Context) -> Events:
    """An alert that the service names, and that began after the candidate got its first traffic, takes it back."""
    if unmoved_by(release, signal) is not None:
        return NOTHING
    cause = Cause(CauseKind.ALERT, reason=signal.name)
    return revert(release, moment(release, context), cause, Phase.ROLLED_BACK)


def unmoved_by(release: Release, alert: AlertFired) -> tuple[str, str] | None:
    """Why an alert does not abort this release, as code and sentence; None where it does.

    An alert aborts only when the service names it and it began after the candidate got its first traffic: an older
    one cannot be the candidate's doing.
    """
    if alert.name not in release.plan.abort_on:
        return "alert_not_named", f"the service does not name {alert.name} in abort_on"
    if release.phase not in (Phase.SHIFTING, Phase.BAKING, Phase.PROMOTING):
        return "alert_no_traffic", f"the candidate has no traffic to take back: it is {release.phase.value}"
    if release.shifted_at is None or alert.started <= release.shifted_at:
        return "alert_before_shift", f"{alert.name} began before the candidate got any traffic"
    return None


def superseded(release: Release, signal: SupersededBy, context: Context) -> Events:
    """A newer version takes its place, once this candidate is confirmed to have nothing."""
    cause = Cause(CauseKind.SUPERSEDED, other=signal.release)
    return revert(release, moment(release, context), cause, Phase.SUPERSEDED)


def outdated(release: Release, signal: SupersededBy, context: Context) -> Events:
    """A newer version was asked for before its turn came: it is over."""
    cause = Cause(CauseKind.SUPERSEDED, other=signal.release)
    return (Closed(at=moment(release, context), phase=Phase.SUPERSEDED, cause=cause),)


def stable_again(release: Release, signal: StableAgain, context: Context) -> Events:
    """Somebody wants the stable version: straight back to it."""
    return revert(release, moment(release, context), Cause(CauseKind.STABLE_AGAIN, actor=signal.actor))


def unwanted(release: Release, signal: StableAgain, context: Context) -> Events:
    """The stable version was asked for before its turn came: it is over."""
    cause = Cause(CauseKind.STABLE_AGAIN, actor=signal.actor)
    return (Closed(at=moment(release, context), phase=Phase.CANCELLED, cause=cause),)
