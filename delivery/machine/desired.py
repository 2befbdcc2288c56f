"""The traffic that is to be, absolute: from phase, stage and what is known of the world."""

from delivery.machine import baseline
from delivery.model.event import Phase
from delivery.model.frozen import replace
from delivery.model.release import Home, Release
from delivery.model.traffic import ALL_CANDIDATE, ALL_STABLE, Sticky, Traffic


def desired(release: Release) -> Traffic:
    """What users are to get. It changes only with `dseq`, and when lost history is found: then it is only lowered."""
    return _capped(_recorded(release), release.ceiling)


def _recorded(release: Release) -> Traffic:
    match release.phase:
        case Phase.SHIFTING | Phase.BAKING:
            return baseline.traffic(release)
        case Phase.PROMOTING | Phase.PROMOTED:
            return ALL_STABLE if release.home is Home.ENTERED else ALL_CANDIDATE  # there it is what is at home
        case Phase.ROLLING_BACK if release.stay:
            return _before_the_revert(release)
    return replace(ALL_STABLE, sticky=_cookies(release))


def _cookies(release: Release) -> Sticky | None:
    """On the way back users' cookies are still matched: to take them away."""
    return release.plan.stages[release.stage].traffic.sticky if release.stage >= 0 else None


def _before_the_revert(release: Release) -> Traffic:
    """Stable cannot take anybody: users stay where they are, and what limits the candidate stays with them."""
    traffic = baseline.traffic(release)
    promoting = release.whole or release.exposed > traffic.weight  # what was stored before `whole` was says it so
    return ALL_CANDIDATE if promoting else traffic


def _capped(traffic: Traffic, ceiling: int | None) -> Traffic:
    """The lower of recorded and live, where commits were lost.

    The live weight says nothing of rules, mirrors and a copy of stable, so they go: the revert of them may be among
    what was lost.
    """
    if ceiling is None:
        return traffic
    return replace(traffic, weight=min(traffic.weight, ceiling), rules=(), mirror=None, baseline=None)
