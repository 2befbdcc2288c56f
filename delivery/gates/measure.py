"""What is counted as an event, and out of how many."""

from delivery.model.verdict import Counts, Tick

What = int | str | None
"""None: errors. A number: requests slower than so many milliseconds. A name: a measure of the service's own."""


def events(counts: Counts, what: What) -> tuple[int, int] | None:
    """Events, and what they are counted of; never more than that, as proxies do not add both in one instant.

    None where it is not measured: requests that nobody timed are neither slow nor fast.
    """
    if isinstance(what, str):
        return next(((min(bad, of), of) for name, bad, of in counts.rates or () if name == what), None)
    if what is None:
        return min(counts.errors, counts.requests), counts.requests
    for bound, slower in counts.slow:
        if bound == what:
            return min(slower, counts.requests), counts.requests
    return None if counts.slow or counts.requests else (0, 0)


def lacking(what: What, tick: Tick) -> str:
    """Why there is nothing of it in this tick, and what there is instead."""
    if what is None:
        return ""
    counts = tick.candidate if events(tick.candidate, what) is None else tick.stable
    if not isinstance(what, str):
        bounds = ", ".join(str(bound) for bound, _ in counts.slow)
        missing = f"no latency bucket at {what} ms; there is: {bounds}"
        return missing if bounds else "no latency is measured: there is no histogram"
    return unmeasured_name(what, counts)


def unmeasured_name(name: str, counts: Counts) -> str:
    """Why a measure of the service's own is not among the counts."""
    reasons = dict(counts.lacks or ())
    if name in reasons:
        return f"{name} is not measured: {reasons[name]}"
    known = {*reasons, *(one for one, *_ in counts.rates or ()), *(one for one, _ in counts.gauges or ())}
    if name in known:
        return f"{name} is measured as {_shape(name, counts)}"
    if not known:
        return f"nothing measures {name}: the cluster's metrics have no measures of their own"
    return f"nothing measures {name}; there is: {', '.join(sorted(known))}"


def _shape(name: str, counts: Counts) -> str:
    levels = {one for one, _ in counts.gauges or ()}
    return "a level, which takes a gauge" if name in levels else "a share, which takes a conversion"


def unmeasured(tick: Tick) -> str:
    """Why a tick is not whole: one reason where both sides have the same."""
    found = tick.unread or ()
    texts = dict.fromkeys(one.text for one in found)
    if len(texts) == 1 and len(found) > 1:
        return next(iter(texts))
    return "; ".join(f"{one.side}: {one.text}" for one in found)
