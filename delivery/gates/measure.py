"""What is counted as an event, and out of how many."""

from delivery.model.verdict import Counts

What = int | str | None
"""None: errors. A number: requests slower than so many milliseconds. A name: a measure of the service's own."""


def events(counts: Counts, what: What) -> tuple[int, int] | None:
    """Events, and what they are counted of; never more than that, as proxies do not add both in one instant.

    None where it is not measured.
    """
    if isinstance(what, str):
        return next(((min(bad, of), of) for name, bad, of in counts.rates or () if name == what), None)
    if what is None:
        return min(counts.errors, counts.requests), counts.requests
    for bound, slower in counts.slow:
        if bound == what:
            return min(slower, counts.requests), counts.requests
    return None if counts.slow else (0, counts.requests)


def lacking(what: What) -> str:
    """What is to be said where it is not measured."""
    return f"{what} is not measured" if isinstance(what, str) else f"no latency bucket at {what} ms"
