"""Cumulative counters of many sources -> what happened between two looks.

Deltas are taken for each series of its own: a sum over series hides a restart, and rate functions of metrics servers
lose the first sample of a new series, which may be the candidate's first error.
"""

from collections.abc import Mapping

from delivery.model.frozen import replace
from delivery.model.series import Sample, Series
from delivery.model.verdict import Counts

_NEW = Series(0, 0)
NAMED = 5
"""How many sources a tick names."""


def counts(base: Mapping[str, Series], now: Sample) -> Counts:
    """What happened since `base`.

    A series that is not in it began at 0, and so did one that restarted. A series that is gone adds nothing.
    """
    requests = errors = 0
    slow: dict[int, int] = {}
    rates: dict[str, tuple[int, int]] = {}
    for before, series in _pairs(base, now).values():
        requests += series.requests - before.requests
        errors += series.errors - before.errors
        earlier = dict(before.slow)
        for bound, slower in series.slow:
            slow[bound] = slow.get(bound, 0) + max(0, slower - earlier.get(bound, 0))
        if series.rates:
            _add_rates(rates, before, series)
    return Counts(
        requests,
        errors,
        tuple(sorted(slow.items())),
        rates=tuple((name, *found) for name, found in sorted(rates.items())) or None,
        gauges=_gauges(now),
        lacks=tuple(sorted(now.lacks.items())) or None,
    )


def sources(base: Mapping[str, Series], now: Sample) -> tuple[tuple[str, int, int], ...] | None:
    """The sources that had the most errors since `base`, each with its requests and errors.

    None where there was no error, or where only one source could have had it.
    """
    if len(now.series) < 2:
        return None
    found = [
        (key, series.requests - before.requests, series.errors - before.errors)
        for key, (before, series) in _pairs(base, now).items()
    ]
    worst = sorted((one for one in found if one[2] > 0), key=lambda one: (-one[2], one[0]))
    return tuple(worst[:NAMED]) or None


def restarted(base: Mapping[str, Series], now: Sample) -> bool:
    """Whether a source began anew in between: what it counted before that is lost, so that the window is not whole."""
    return any(key in base and _restart(base[key], series) for key, series in now.series.items())


def carry(base: Mapping[str, Series], now: Sample) -> Mapping[str, Series]:
    """What the next look starts from.

    A series that is gone is kept: should it come back, its past is not counted a second time. One that was held ever
    since it was first seen stays so: what it counted before it was read nobody can date.
    """
    return {**base, **{key: _dated(base.get(key), series) for key, series in now.series.items()}}


def _dated(before: Series | None, series: Series) -> Series:
    return series if before is None or before.held or not series.held else replace(series, held=False)


def _pairs(base: Mapping[str, Series], now: Sample) -> Mapping[str, tuple[Series, Series]]:
    """Each series of now with what it began from; one that was held when it was first seen begins with now."""
    return {key: (_start(base.get(key, _NEW), series), series) for key, series in now.series.items()}


def _start(before: Series, series: Series) -> Series:
    if _restart(before, series):
        return _NEW
    return series if before.held else before


def _add_rates(rates: dict[str, tuple[int, int]], before: Series, after: Series) -> None:
    earlier = {name: (events, of) for name, events, of in before.rates or ()}
    for name, events, of in after.rates or ():
        known, old = rates.get(name, (0, 0)), earlier.get(name, (0, 0))
        rates[name] = (known[0] + max(0, events - old[0]), known[1] + max(0, of - old[1]))


def _gauges(now: Sample) -> tuple[tuple[str, float], ...] | None:
    """The mean of each level over the sources that have it."""
    levels: dict[str, list[float]] = {}
    for series in now.series.values():
        for name, level in series.gauges or ():
            levels.setdefault(name, []).append(level)
    return tuple((name, sum(found) / len(found)) for name, found in sorted(levels.items())) or None


def _restart(before: Series, after: Series) -> bool:
    """Another life of the source, or a counter that went back."""
    if before is _NEW:
        return False
    return after.epoch != before.epoch or after.requests < before.requests or after.errors < before.errors
