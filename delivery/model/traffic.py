"""Desired traffic: who gets the candidate. Over roles, so that a plan can be compiled before versions are bound."""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.policy import Fault, Jwt, TrafficPolicy


class Role(StrEnum):
    STABLE = "stable"
    CANDIDATE = "candidate"


class MatchKind(StrEnum):
    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    name: str
    kind: MatchKind
    value: str


@dataclass(frozen=True, slots=True)
class CookieMatch:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """All of its conditions must hold. `path` is a prefix of whole segments: `/beta` takes `/beta/x`, not `/betax`."""

    headers: tuple[HeaderMatch, ...] = ()
    cookies: tuple[CookieMatch, ...] = ()
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests that meet any of `matches` go to the candidate, whatever the split says.

    With a `jwt`, those without its token are refused. With a `fault` it is done to them: for test traffic.
    """

    name: str
    matches: tuple[Match, ...]
    fault: Fault | None = None
    jwt: Jwt | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """The candidate gets copies of `percent` of stable's requests, unseen by users. No `methods`: all of them."""

    percent: int
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sticky:
    """A user keeps the version of their first request.

    `draws` are the candidate weights of the earlier sticky stages, oldest first: a user who drew stable at weight p
    is drawn once more when the weight is q > p, with (q-p)/(100-p), so that the share of users is q.
    """

    cookie: str
    draws: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Traffic:
    """`weight` is the candidate's percent (whole, 0 to 100; stable has the rest). Rules are tried first, in order.

    `baseline` is the percent that a copy of stable gets, as young as the candidate, to be compared with: taken from
    stable's. None: there is no copy. Whoever meets no rule is drawn anew for each request, so nobody is sticky beside
    it. The copy is stable's version: nothing about it is exposure.

    `policy` limits what the candidate gets of users' requests; copies of a mirror have limits of their own.
    """

    weight: int = 0
    rules: tuple[Rule, ...] = ()
    mirror: Mirror | None = None
    sticky: Sticky | None = None
    policy: TrafficPolicy | None = None
    baseline: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 100:
            raise ValueError(f"a weight is a whole percent from 0 to 100, not {self.weight}")
        if self.mirror is not None and not 1 <= self.mirror.percent <= 100:
            raise ValueError(f"a mirror takes 1 to 100 percent, not {self.mirror.percent}")
        if self.mirror is not None and (self.weight or self.rules):
            raise ValueError("a mirror needs a route that only stable serves: no weight, no rules")
        if self.baseline is not None:
            self._check_baseline(self.baseline)

    def _check_baseline(self, percent: int) -> None:
        if not 1 <= percent <= 100 - self.weight:
            raise ValueError(
                f"a copy of stable gets 1 to {100 - self.weight} percent beside the candidate, not {percent}"
            )
        if not self.weight or self.mirror is not None or self.sticky is not None:
            raise ValueError("a copy of stable is compared with a candidate that has a weight, no mirror, no cookies")

    @property
    def exposes(self) -> bool:
        """Whether any user can be answered by the candidate."""
        return self.weight > 0 or bool(self.rules)


ALL_STABLE = Traffic()
ALL_CANDIDATE = Traffic(weight=100)


def raises(before: Traffic, after: Traffic) -> bool:
    """Whether `after` exposes anything that `before` does not. Traffics that cannot be compared count as a raise."""
    if after.weight > before.weight:
        return True
    if not set(after.rules) <= set(before.rules) and before.weight < 100:
        return True
    if after.exposes and before.policy is not None and after.policy != before.policy:
        return True  # limits that go, or that cannot be compared
    if after.mirror is None:
        return False
    return before.mirror is None or not _covers(before.mirror, after.mirror)


def _covers(wide: Mirror, narrow: Mirror) -> bool:
    if narrow.percent > wide.percent:
        return False
    return not wide.methods or (bool(narrow.methods) and set(narrow.methods) <= set(wide.methods))
