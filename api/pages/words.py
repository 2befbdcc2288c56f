"""Times, numbers and sentences as templates write them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from markupsafe import Markup

from delivery.model.ids import SECOND, Micros
from delivery.wording.units import capital, duration, instant, moment, number


def when(at: Micros | str, now: Micros) -> Markup:
    """A time for people: absolute with its zone, and how far from now."""
    micros = _micros(at) if isinstance(at, str) else at
    return Markup('<time datetime="{}">{}</time> <span class="ago">({})</span>').format(
        instant(micros), moment(micros), relative(micros, now)
    )


def relative(at: Micros, now: Micros) -> str:
    """`3m ago`, `in 3m`, `now`."""
    if abs(now - at) < SECOND:
        return "now"
    return f"{duration(now - at)} ago" if at < now else f"in {duration(at - now)}"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return capital(ended)


def scope(text: str) -> str:
    """Where a stop holds: `everywhere`, `in cluster prod-eu`, `for services of team-payments`."""
    kind, _, name = text.partition(":")
    return {"cluster": f"in cluster {name}", "owner": f"for services of {name}"}.get(kind, "everywhere")


def _micros(at: str) -> Micros:
    return Micros(round(datetime.fromisoformat(at).timestamp() * SECOND))


FILTERS: Mapping[str, Callable[..., str]] = {
    "when": when,
    "sentence": sentence,
    "number": number,
    "moment": moment,
    "instant": instant,
    "scope": scope,
}
