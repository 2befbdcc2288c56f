"""Cumulative counters of many sources -> what happened between two looks.

Deltas are taken for each series of its own: a sum over series hides a restart, and rate functions of metrics servers
lose the first sample of a new series, which may be the candidate's first error.
"""

from collections.abc import Mapping

from delivery.model.series import Sample, Series
from delivery.model.verdict import Counts

_NEW = Series(0, 0)


def counts(base: Mapping[str, Series], now: Sample) -> Counts:
    """What happened since `base`.

    A series that is not in it began at 0, and so did one that restarted. A series that is gone adds nothing.
    """
    requests = errors = 0
    slow: dict[int, int] = {}
    for key, series in now.series.items():
        before = base.get(key, _NEW)
        if _restart(before, series):
            before = _NEW
        requests += series.requests - before.requests
        errors += series.errors - before.errors
        earlier = dict(before.slow)
        for bound, slower in series.slow:
            slow[bound] = slow.get(bound, 0) + max(0, slower - earlier.get(bound, 0))
    return Counts(requests, errors, tuple(sorted(slow.items())))


def restarted(base: Mapping[str, Series], now: Sample) -> bool:
    """Whether a source began anew in between: what it counted before that is lost, so that the window is not whole."""
    return any(key in base and _restart(base[key], series) for key, series in now.series.items())


def carry(base: Mapping[str, Series], now: Sample) -> Mapping[str, Series]:
    """What the next look starts from.

    A series that is gone is kept: should it come back, its past is not counted a second time.
    """
    return {**base, **now.series}


def _restart(before: Series, after: Series) -> bool:
    """Another life of the source, or a counter that went back."""
    if before is _NEW:
        return False
    return after.epoch != before.epoch or after.requests < before.requests or after.errors < before.errors
