"""Raw counters of candidate, stable and perhaps a copy of stable, from look to look, and what is stored in between."""

from collections.abc import Mapping
from typing import Any

from delivery.gates import deltas
from delivery.model.frozen import replace
from delivery.model.ids import SECOND, Micros
from delivery.model.series import Sample, Series, Unread, Why
from delivery.model.verdict import Counts

CANDIDATE, STABLE, COPY = SIDES = ("candidate", "stable", "copy")
NOTHING = Counts(0, 0)
Samples = tuple[Sample | Unread, ...]
"""Of the first two sides, or of all three."""
Base = Mapping[str, Mapping[str, Series]]


def began(samples: Samples, lasts: Micros) -> bool:
    """Whether the windows of a stage that is proven for as long as `lasts` may begin with these samples.

    Not with counters from before its proof: how old they are was measured on one clock, so that two clocks do not
    matter that differ.
    """
    return all(isinstance(one, Sample) and one.age <= max(0, lasts) for one in samples)


def unread(base: Base, samples: Samples, lasts: Micros) -> tuple[tuple[str, Unread], ...]:
    """Why the window between them cannot be judged: the sides, each with its reason; none where it can."""
    found = []
    for side, sample in zip(SIDES, samples, strict=False):
        if isinstance(sample, Unread):
            found.append((side, sample))
        elif not base and sample.age > lasts:
            text = f"its counters are {sample.age / SECOND:.0f} s old, from before this stage"
            found.append((side, Unread(Why.EARLY, text)))
        elif deltas.restarted(base.get(side, {}), sample):
            found.append((side, Unread(Why.RESTARTED, "what counts its requests began anew")))
    return tuple(found)


def counted(base: Base, samples: Samples) -> tuple[Counts, Counts, Counts | None]:
    """What the sides did since `base`; nothing where it is not known. No copy: None."""
    candidate, stable, *copy = (_of_side(base, side, sample) for side, sample in zip(SIDES, samples, strict=False))
    if isinstance(samples[0], Sample) and base:
        candidate = replace(candidate, sources=deltas.sources(base.get(CANDIDATE, {}), samples[0]))
    return candidate, stable, copy[0] if copy else None


def _of_side(base: Base, side: str, sample: Sample | Unread) -> Counts:
    return deltas.counts(base.get(side, {}), sample) if base and isinstance(sample, Sample) else NOTHING


def carried(base: Base, samples: Samples) -> Mapping[str, object]:
    """What the next delta starts from, as plain JSON: {side: {series: [requests, errors, epoch, [[bound, slow]]]}}.

    Measures of the service's own come next, where there are any, and last whether it was held.
    """
    return {
        name: {key: _plain(series) for key, series in deltas.carry(base.get(name, {}), sample).items()}
        for name, sample in zip(SIDES, samples, strict=False)
        if isinstance(sample, Sample)
    }


def _plain(series: Series) -> list[object]:
    plain: list[object] = [series.requests, series.errors, series.epoch, list(map(list, series.slow))]
    if series.rates or series.held:
        plain.append(list(map(list, series.rates or ())))
    return [*plain, True] if series.held else plain


def stored(plain: Any) -> dict[str, dict[str, Series]]:
    """The base out of what `carried` made."""
    return {side: {key: _series(*one) for key, one in of.items()} for side, of in plain.items()}


def _series(requests: int, errors: int, epoch: str, slow: Any, rates: Any = None, held: bool = False) -> Series:
    return Series(
        requests, errors, tuple(map(tuple, slow)), epoch, tuple(map(tuple, rates)) if rates else None, held=held
    )


def total(a: Counts, b: Counts) -> Counts:
    """Both together."""
    slow = dict(a.slow)
    for bound, number in b.slow:
        slow[bound] = slow.get(bound, 0) + number
    rates = {name: (events, of) for name, events, of in a.rates or ()}
    for name, events, of in b.rates or ():
        known = rates.get(name, (0, 0))
        rates[name] = (known[0] + events, known[1] + of)
    told = tuple((name, *found) for name, found in sorted(rates.items())) or None
    return Counts(a.requests + b.requests, a.errors + b.errors, tuple(sorted(slow.items())), rates=told)
