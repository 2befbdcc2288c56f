"""What counts as a bad event: an error, or a request slower than a bound."""

from delivery.model.verdict import Counts


def bad_events(counts: Counts, above: int | None) -> int | None:
    """Errors, or where `above` is given requests slower than so many milliseconds. None: that bound is not measured."""
    if above is None:
        return min(counts.errors, counts.requests)  # proxies do not add both in one instant
    for bound, slower in counts.slow:
        if bound == above:
            return min(slower, counts.requests)
    return None if counts.slow else 0
