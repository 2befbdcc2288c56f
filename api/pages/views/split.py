"""The candidate's share over time, from a release's events and ticks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from api.pages.draw import split as drawn
from api.pages.draw.split import Span, Split, Step
from delivery.model import event as events
from delivery.model.event import Event
from delivery.model.hold import HoldKind
from delivery.model.ids import Micros
from delivery.model.plan import Plan
from delivery.model.release import Release
from delivery.model.shares import Shares
from delivery.wording.release import versions
from delivery.wording.units import percent

_MARGIN = 0.03
"""What is shown before the first change and after the end, as a part of the whole."""


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the table beside the drawing."""

    at: Micros
    what: str
    percent: str


@dataclass(frozen=True, slots=True)
class SplitShown:
    """Two drawings of the same, one for each width of screen; `summary` says the end of it, `changes` all of it.

    `aside`: the candidate may get more than its share, by rules or as copies.
    """

    wide: Markup
    narrow: Markup
    summary: str
    changes: tuple[Change, ...]
    held: bool
    aside: bool


@dataclass(slots=True)
class _Walk:
    """What was wanted and proven up to some event."""

    plan: Plan
    desired: list[Step] = field(default_factory=list)
    confirmed: list[Step] = field(default_factory=list)
    stages: list[tuple[Micros, str]] = field(default_factory=list)
    open_holds: dict[HoldKind, Micros] = field(default_factory=dict)
    holds: list[Span] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    dseq: int = 0

    def see(self, seq: int, event: Event) -> None:
        match event:
            case events.StageEntered(stage=stage):
                self._want(seq, event.at, self.plan.stages[stage].name, self.plan.stages[stage].traffic.weight)
            case events.PromotionBegun():
                self._want(seq, event.at, "promotion", 100)
            case events.HomeEntered():
                self._want(seq, event.at, "home", 100)
            case events.RollbackBegun(stay=stay):
                self._want(seq, event.at, "back", self._live() if stay else 0)
            case events.BaselineLost(had_share=True):  # what the candidate has stays, and is to be proven anew
                self.dseq = seq
            case events.TrafficConfirmed(dseq=dseq) if dseq == self.dseq and self.desired:
                self._prove(event.at)
            case events.HoldPlaced() | events.HoldLifted():
                self._hold(event)

    def _hold(self, event: events.HoldPlaced | events.HoldLifted) -> None:
        if isinstance(event, events.HoldPlaced):
            self.open_holds.setdefault(event.hold.kind, event.at)
        else:
            self.lift(event.kind, event.at)

    def _live(self) -> float:
        return self.desired[-1].percent if self.desired else 0

    def _want(self, seq: int, at: Micros, name: str, weight: float) -> None:
        self.dseq = seq
        self.desired.append(Step(at, weight))
        self.stages.append((at, name))
        self.changes.append(Change(at, f"desired, {name}", percent(weight)))

    def _prove(self, at: Micros) -> None:
        self.confirmed.append(Step(at, self._live()))
        self.changes.append(Change(at, "confirmed at the proxies", percent(self._live())))

    def lift(self, kind: HoldKind, at: Micros) -> None:
        if (since := self.open_holds.pop(kind, None)) is not None:
            self.holds.append(Span(since, at, kind.value))


def shown(release: Release, history: Sequence[tuple[int, Event]], shares: Shares, now: Micros) -> SplitShown | None:
    """None where no traffic was ever to be moved."""
    walk = _Walk(release.plan)
    for seq, event in history:
        walk.see(seq, event)
    if not any(isinstance(event, events.StageEntered | events.PromotionBegun) for _, event in history):
        return None
    end = release.finished_at or max(now, release.at)
    for kind in list(walk.open_holds):
        walk.lift(kind, end)
    one = _split(walk, shares, end, over=release.finished_at is not None)
    summary = _summary(release, one)
    return SplitShown(
        drawn.draw(one, drawn.WIDE, summary, "wide"),
        drawn.draw(one, drawn.NARROW, summary, "narrow"),
        summary,
        tuple(walk.changes),
        held=bool(one.holds),
        aside=any(stage.traffic.mirror or stage.traffic.rules for stage in release.plan.stages),
    )


def _split(walk: _Walk, shares: Shares, end: Micros, *, over: bool) -> Split:
    first = walk.desired[0].at
    margin = int(max(end - first, 1) * _MARGIN)
    begin, last = Micros(first - margin), Micros(end + margin if over else end)
    ends = [*(at for at, _ in walk.stages[1:]), last]
    return Split(
        begin=begin,
        end=last,
        desired=(Step(begin, 0), *walk.desired),
        confirmed=(Step(begin, 0), *walk.confirmed),
        counted=tuple(_counted(shares)),
        stages=tuple(Span(at, until, name) for (at, name), until in zip(walk.stages, ends, strict=True)),
        holds=tuple(Span(max(hold.begin, begin), hold.end, hold.name) for hold in walk.holds if hold.end > begin),
    )


def _counted(shares: Shares) -> Iterator[Step]:
    """The candidate's share of the requests that were counted, in percent; nothing where nobody sent any."""
    for span in shares.spans:
        if span.total:
            yield Step(Micros((span.start + span.end) // 2), 100 * span.candidate / span.total)


def _summary(release: Release, one: Split) -> str:
    parts = [f"desired {percent(one.desired[-1].percent)}", f"confirmed {percent(one.confirmed[-1].percent)}"]
    if one.counted:
        parts.append(f"counted at last {percent(one.counted[-1].percent)}")
    return f"Share of the candidate over time, {versions(release)}: {', '.join(parts)}"
