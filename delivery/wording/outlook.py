"""What gates would see, in sentences. Over plain values, so that nothing here needs the gates themselves."""

from collections.abc import Sequence
from typing import Protocol

from delivery.wording.units import listed, percent

LITTLE = 0.5
"""Of the worst that is asked about: less is nearly nothing."""


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

    `errors at 10 requests a second with 0.1 % errors would find x4 in 77 % (after 20 min)`.
    """
    lines = []
    at = f"at {load.rps:.3g} requests a second with {percent(100 * load.errors)} errors"
    for one in outlooks:
        lines.append(f"{one.gate} {at} would find {listed([_found(seen) for seen in one.seen])}")
        lines += _warnings(one)
    return tuple(lines)


def _found(seen: Seen) -> str:
    after = f" (after {seen.minutes:.2g} min)" if seen.minutes is not None else ""
    return f"x{seen.times} in {percent(round(100 * seen.found))}{after}"


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
