"""One release as its page shows it: put together from the same parts as the API's answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from api.access import reach
from api.access.caller import Caller
from api.pages.views import hooks, split
from api.pages.views import stage as stage_views
from api.pages.views.badge import Badge, badges
from api.pages.views.hooks import HookShown
from api.pages.views.offers import Offer, offers
from api.pages.views.stage import StageShown
from api.problems import Problem
from api.routes.lookup import context, explained, in_hand, possible
from api.services import AppServices
from api.views.common import numbered, stored_events
from api.views.gates import newest
from api.views.stages import stages
from delivery.model.event import Event
from delivery.model.ids import SECOND, Micros
from delivery.model.release import Release
from delivery.ports.rows import Measuring
from delivery.wording.explain import Explanation
from delivery.wording.history import line
from delivery.wording.release import target, versions
from delivery.wording.units import number

_SOONEST, _LATEST = 2, 30
"""Seconds between two looks of an open page at what no event tells: measurements, and how long ago things were."""


@dataclass(frozen=True, slots=True)
class Line:
    """A stored fact in a sentence."""

    seq: int
    at: Micros
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """`href` is empty where it leads nowhere."""

    name: str
    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseShown:
    """`every` is how often to look again in seconds, 0 for what is over. `history` is newest first."""

    release: Release
    service: str
    cluster: str
    versions: str
    badges: tuple[Badge, ...]
    told: Explanation
    offers: tuple[Offer, ...]
    in_hand: bool
    split: split.SplitShown | None
    measured: StageShown | None
    stages: tuple[StageShown, ...]
    hooks: tuple[HookShown, ...]
    history: tuple[Line, ...]
    facts: tuple[Fact, ...]
    every: int


def shown(services: AppServices, release: Release, caller: Caller, root: str) -> ReleaseShown:
    """Raises Unavailable."""
    history = numbered(stored_events(services.history, release.id))
    measuring = services.history.measuring(release.id)
    shares = services.history.shares(release.id)
    judged = newest(services.judge, measuring, release)
    around, paused = context(services, release), in_hand(services, release)
    known = replace(release, verdicts={**release.verdicts, **{one.gate: one for one in judged}})
    made, promotion = stages(release, history, shares, (measuring.stage if measuring else -1, judged))
    every_stage = tuple(stage_views.shown(one, release.plan) for one in (*made, promotion))
    service, cluster = target(release)
    reachable = partial(_reach, services, caller, service, cluster)
    return ReleaseShown(
        release=release,
        service=service,
        cluster=cluster,
        versions=versions(release),
        badges=badges(release, paused),
        told=explained(services, known),
        offers=offers(release, around, possible(services, release), caller, reachable),
        in_hand=paused is not None,
        split=split.shown(release, history, shares, around.now),
        measured=_measured(every_stage),
        stages=every_stage,
        hooks=hooks.shown(release),
        history=tuple(reversed(lines(release, history))),
        facts=tuple(_facts(release, measuring, root)),
        every=0 if release.phase.closed else min(max(release.plan.tick // SECOND, _SOONEST), _LATEST),
    )


def _reach(services: AppServices, caller: Caller, service: str, cluster: str, action: str) -> str:
    try:
        reach.check(services, caller, action, service, (cluster,))
    except Problem as problem:
        return problem.detail
    return ""


def lines(release: Release, history: Sequence[tuple[int, Event]]) -> tuple[Line, ...]:
    """In the order in which it happened."""
    return tuple(Line(seq, event.at, line(event, release.plan)) for seq, event in history)


def _measured(found: Sequence[StageShown]) -> StageShown | None:
    """The stage whose gates matter now: the last that has any findings."""
    return next((one for one in reversed(found) if one.gates), None)


def _facts(release: Release, measuring: Measuring | None, root: str) -> Iterator[Fact]:
    seen = measuring.totals[0] if measuring else None
    if seen is not None:
        yield Fact("Served", f"{number(seen.requests)} requests, {number(seen.errors)} of them failed")
    yield Fact("Highest share", f"{release.exposed}\u202f% of requests")
    for name, other in (("Retry of", release.retry_of), ("Rolls back", release.rolls_back)):
        if other is not None:
            yield Fact(name, other, f"{root}/releases/{other}")
    if release.cause is not None and release.cause.other is not None and release.cause.other != release.rolls_back:
        yield Fact("Because of", release.cause.other, f"{root}/releases/{release.cause.other}")
    yield Fact("Identity", release.candidate.identity)
    if release.candidate.image:
        yield Fact("Image", release.candidate.image)
    yield from _origin(release.origin)
    yield Fact("Id", release.id)


def _origin(origin: Mapping[str, str]) -> Iterator[Fact]:
    for key, value in origin.items():
        link = value if value.startswith(("https://", "http://")) else ""
        yield Fact(key.removesuffix("_url").replace("_", " ").capitalize(), value, link)
