"""What gates would see, in sentences. Over plain values, so that nothing here needs the gates themselves."""

from collections.abc import Sequence
from typing import Protocol

from delivery.wording.units import listed, percent

LITTLE = 0.5
"""Of the worst that is asked about: less is nearly nothing."""

TWICE = 2


class Load(Protocol):
    @property
    def rps(self) -> float: ...
    @property
    def errors(self) -> float: ...


class Seen(Protocol):
    @property
    def times(self) -> int: ...
    @property
    def found(self) -> float: ...
    @property
    def minutes(self) -> float | None: ...


class Outlook(Protocol):
    @property
    def gate(self) -> str: ...
    @property
    def seen(self) -> Sequence[Seen]: ...
    @property
    def passes(self) -> float | None: ...


def told(load: Load, outlooks: Sequence[Outlook]) -> tuple[str, ...]:
    """A line for each gate, and a warning wherever one could not do what it is there for.

    `errors at 10 requests a second with 0.1 % errors would catch a version that is 4 times as bad in 77 % of releases
    (after 20 min)`.
    """
    lines = []
    at = f"at {load.rps:.3g} requests a second with {percent(100 * load.errors)} errors"
    for one in outlooks:
        first, *others = one.seen
        found = [_found(first, " as bad", " of releases"), *(_found(seen) for seen in others)]
        lines.append(f"{one.gate} {at} would catch a version that is {listed(found)}")
        lines += _warnings(one)
    return tuple(lines)


def _found(seen: Seen, bad: str = "", of: str = "") -> str:
    times = "twice" if seen.times == TWICE else f"{seen.times} times"
    return f"{times}{bad} in {percent(round(100 * seen.found))}{of}{_after(seen.minutes)}"


def _after(minutes: float | None) -> str:
    if minutes is None:
        return ""
    return f" (after {minutes:.2g} min)" if minutes >= 1 else f" (after {60 * minutes:.0f} s)"


def _warnings(one: Outlook) -> list[str]:
    found = []
    worst = max(one.seen, key=lambda seen: seen.times)
    if worst.found < LITTLE:
        found.append(
            f"warning: {one.gate} sees next to nothing at this traffic; "
            "a longer last stage at 50 % is the cheapest remedy"
        )
    if one.passes is not None and one.passes < 1 - LITTLE / 10:
        found.append(
            f"warning: {one.gate} must pass, and would for {percent(round(100 * one.passes))} of healthy releases; "
            "the others would wait for people"
        )
    return found
