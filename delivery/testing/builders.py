"""Values for tests, with everything filled in that a test does not care about.

Releases are built by the machine itself, by telling it what happened: a release that no history leads to cannot be had.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from delivery.machine import path
from delivery.machine.admission import admit
from delivery.machine.advance import advance
from delivery.machine.change import Admission, Change, Move
from delivery.machine.evolve import evolve
from delivery.machine.step import step
from delivery.model.codec import digest
from delivery.model.context import Context
from delivery.model.event import Created, Event, Level, Phase
from delivery.model.hook import HookSpec, Step, When
from delivery.model.ids import HOUR, MINUTE, SECOND, GateId, HookId, Micros, Principal, ReleaseId, target_id
from delivery.model.notice import Again, Notice, ReleaseAction, ReleaseRequested
from delivery.model.plan import Approval, GateSpec, Plan, Stage, Then
from delivery.model.release import Home, Release
from delivery.model.service import OnNewVersion
from delivery.model.signal import (
    Abort,
    Confirmed,
    HomeReady,
    HookAnswered,
    Measured,
    PersonSignal,
    PromoteNow,
    Signal,
    StableIs,
    SupersededBy,
    TurnCame,
    WorkloadFailing,
    WorkloadReady,
)
from delivery.model.target import Target, World
from delivery.model.traffic import Traffic
from delivery.model.verdict import Judgement, Side, Verdict
from delivery.model.version import VersionRef

NOW = Micros(1_795_514_531_000_000)
"""2026-11-24 10:02:11 UTC"""
ALICE, BOB, CAROL = Principal("alice"), Principal("bob"), Principal("carol")
"""Alice starts releases; Bob and Carol look at them."""
ERRORS = GateId("errors")
TARGET = target_id("checkout", "prod-eu")


def a_version(label: str = "1.4.2") -> VersionRef:
    return VersionRef(label, f"sha256:{label}", f"registry.example/checkout:{label}")


STABLE, CANDIDATE = a_version("1.4.1"), a_version("1.4.2")


def a_gate(gate: str = ERRORS, **changes: Any) -> GateSpec:
    return replace(GateSpec(GateId(gate), "ratio", {}), **changes)


def a_stage(weight: int = 5, **changes: Any) -> Stage:
    """A canary stage: bakes 5 minutes, at most 30, gated by `errors`."""
    stage = Stage(
        name=f"canary {weight}%",
        strategy="canary",
        traffic=Traffic(weight=weight),
        bake=Micros(5 * MINUTE),
        deadline=Micros(30 * MINUTE),
        gates=(ERRORS,),
    )
    return replace(stage, **changes)


def a_hook(hook: str = "migrate", *steps: When | Step, **changes: Any) -> HookSpec:
    """A hook of 5 minutes that is called once, before the candidate is started where no point is named."""
    points = tuple(step if isinstance(step, Step) else Step(step) for step in steps or (When.START,))
    return replace(HookSpec(HookId(hook), "http", {"host": "platform"}, points), **changes)


def an_approval(count: int = 1, **changes: Any) -> Approval:
    return replace(Approval(count, expires=Micros(4 * HOUR)), **changes)


def a_plan(*stages: Stage, **changes: Any) -> Plan:
    """A canary of 5 and 50 percent where no stages are given."""
    plan = Plan(stages=stages or (a_stage(5), a_stage(50)), gates=(a_gate(),))
    return replace(plan, **changes)


def a_created(**changes: Any) -> Created:
    plan = changes.get("plan", a_plan())
    event = Created(
        at=NOW,
        release=ReleaseId("rel_1"),
        number=1,
        target=TARGET,
        candidate=CANDIDATE,
        actor=ALICE,
        plan=plan,
        plan_digest=digest(plan),
    )
    return replace(event, **changes)


def a_judgement(verdict: Verdict = Verdict.CONTINUE, gate: str = ERRORS, **changes: Any) -> Judgement:
    return replace(Judgement(GateId(gate), verdict, Side(1, 100), Side(10, 1900)), **changes)


def a_tick(release: Release, verdict: Verdict = Verdict.CONTINUE, **changes: Any) -> Measured:
    """A tick of the release's live stage: by default the bake is over, with enough requests, and no gate decided."""
    stage = release.plan.stages[release.stage]
    tick = Measured(
        dseq=release.dseq,
        tick=20,
        baked=stage.bake,
        requests=stage.min_requests,
        judgements=tuple(a_judgement(verdict, gate) for gate in stage.gates),
        first_tick=1,
        evidence="e" * 64,
    )
    return replace(tick, **changes)


@dataclass
class Story:
    """A release that things happen to, a second apart. `events` is its whole history."""

    release: Release
    events: list[Event]
    context: Context = field(default_factory=lambda: Context(NOW))

    def tell(self, *signals: Signal, after: int = SECOND) -> "Story":
        """Tells the machine each signal in turn. Raises Refusal as the machine does."""
        for signal in signals:
            self.context = replace(self.context, now=Micros(self.context.now + after))
            self.release, events = step(self.release, signal, self.context)
            self.events += events
        return self

    def tick(self, verdict: Verdict = Verdict.CONTINUE, after: int = 15 * SECOND, **changes: Any) -> "Story":
        return self.tell(a_tick(self.release, verdict, **changes), after=after)

    def confirm(self) -> "Story":
        """The proxies prove what is desired now."""
        return self.tell(Confirmed(self.release.dseq, Level.ACKED, 1))

    def answer(self, ok: bool | None = True, detail: str = "", after: int = SECOND) -> "Story":
        """The hook that was begun last has ended, or has not: None."""
        run = self.release.hooks[-1]
        return self.tell(HookAnswered(run.hook, run.step, run.attempt, ok, detail), after=after)

    def where(self, **changes: Any) -> "Story":
        """From now on the surroundings are different: `freeze`, `stop`, `now`."""
        self.context = replace(self.context, **changes)
        return self

    @property
    def said(self) -> list[str]:
        """The names of the events so far."""
        return [type(event).__name__ for event in self.events]


def a_story(stable: VersionRef | None = STABLE, started: bool = True, **created: Any) -> Story:
    """A release that was created and, unless told otherwise, has had its turn."""
    event = a_created(**created)
    story = Story(evolve(None, event), [event])
    return story.tell(TurnCame(stable)) if started else story


def a_release(phase: Phase = Phase.BAKING, **created: Any) -> Release:
    """A release in this phase, on a short way there."""
    return a_story_in(phase, **created).release


def a_story_in(phase: Phase, **created: Any) -> Story:
    """A story that has come to this phase."""
    if phase is Phase.WITHDRAWN:
        created = {"plan": a_plan(a_stage(5), then=Then.WITHDRAW), **created}
    story = a_story(started=phase is not Phase.QUEUED, **created)
    for happens in _WAYS[phase]:
        happens(story)
    if story.release.phase is not phase:
        raise ValueError(f"this plan leads to {story.release.phase}, not to {phase}")
    return story


_READY: tuple[Callable[[Story], object], ...] = (lambda story: story.tell(WorkloadReady()),)
_BAKING = (*_READY, Story.confirm)
_PROMOTING = (*_BAKING, lambda story: story.tell(PromoteNow(BOB)))
_ROLLING_BACK = (*_BAKING, lambda story: story.tell(Abort(BOB)))
_WAYS: Mapping[Phase, tuple[Callable[[Story], object], ...]] = {
    Phase.QUEUED: (),
    Phase.PREPARING: (),
    Phase.SHIFTING: _READY,
    Phase.BAKING: _BAKING,
    Phase.PROMOTING: _PROMOTING,
    Phase.ROLLING_BACK: _ROLLING_BACK,
    Phase.PROMOTED: (*_PROMOTING, Story.confirm),
    Phase.ROLLED_BACK: (*_ROLLING_BACK, Story.confirm),
    Phase.WITHDRAWN: (*_BAKING, Story.tick, Story.confirm),
    Phase.CANCELLED: (lambda story: story.tell(Abort(BOB)), Story.confirm),
    Phase.SUPERSEDED: (*_BAKING, lambda story: story.tell(SupersededBy(ReleaseId("rel_2"))), Story.confirm),
    Phase.FAILED_TO_START: (lambda story: story.tell(WorkloadFailing("exit code 1")), Story.confirm),
}


def a_world(active: Release | None = None, *others: Release, **target: Any) -> World:
    """A target whose stable version is 1.4.1. `others` are known to it; name them in `queue` where they wait."""
    releases = {release.id: release for release in (*((active,) if active else ()), *others)}
    made = Target(
        id=TARGET,
        service="checkout",
        cluster="prod-eu",
        stable=STABLE,
        active=active.id if active else None,
        last=active.id if active and active.dseq else None,
        number=max((release.number for release in releases.values()), default=0),
    )
    return World(replace(made, **target), releases)


@dataclass
class TargetStory:
    """A target that notices come to and that the world answers, a second apart. `moves` is all that was decided."""

    world: World
    plan: Plan = field(default_factory=a_plan)
    policy: OnNewVersion = OnNewVersion.QUEUE_LATEST
    context: Context = field(default_factory=lambda: Context(NOW))
    moves: list[Move] = field(default_factory=list)
    admitted: int = 0

    def admit(self, notice: Notice) -> Admission:
        """Admits it. Raises Refusal as admission does."""
        self.admitted += 1
        self._later()
        context = replace(self.context, fresh_ids=(ReleaseId(f"rel_{self.admitted}"),))
        admission = admit(self.world, notice, self.plan, self.policy, context)
        if admission.change is not None:
            self._take(admission.change)
        return admission

    def ask(self, version: VersionRef = CANDIDATE, **changes: Any) -> Admission:
        """CI says that a version is there, now unless told otherwise."""
        return self.admit(a_request(version, **{"time": Micros(self.context.now + SECOND), **changes}))

    def act(self, signal: PersonSignal, release: ReleaseId | None = None) -> Admission:
        """A person's word to a release, the active one where none is named."""
        named = release or self.active.id
        return self.admit(Notice("api", f"act-{self.admitted}", "", ReleaseAction(named, signal)))

    def again(self, release: ReleaseId, *, back: bool, actor: Principal = BOB) -> Admission:
        """Somebody retries a finished release, or rolls it back."""
        return self.admit(Notice("api", f"again-{self.admitted}", "", Again(release, back, actor)))

    def tell(self, *signals: Signal, after: int = SECOND) -> "TargetStory":
        """The world's answers to the active release."""
        for signal in signals:
            self._later(after)
            self._take(advance(self.world, signal, self.context))
        return self

    def confirm(self) -> "TargetStory":
        return self.tell(Confirmed(self.active.dseq, Level.ACKED, 1))

    def tick(self, verdict: Verdict = Verdict.CONTINUE, **changes: Any) -> "TargetStory":
        return self.tell(a_tick(self.active, verdict, **changes), after=15 * SECOND)

    def promote(self) -> "TargetStory":
        """The active release goes through every stage to its end."""
        running = self.active.id
        if path.unsure_of_stable(self.active):
            self.tell(StableIs(self.world.target.stable))
        while self.world.target.active == running:
            self.tell(WorkloadReady())
            self.confirm()
            if self.world.target.active == running and self.active.phase is Phase.BAKING:
                self.tick()
            if self.world.target.active == running and self.active.home is Home.BEGUN:
                self.tell(HomeReady(self.active.candidate))
        return self

    @property
    def active(self) -> Release:
        release = self.world.active
        if release is None:
            raise ValueError("no release is active")
        return release

    def release(self, number: int) -> Release:
        return next(one for one in self.world.releases.values() if one.number == number)

    def _later(self, span: int = SECOND) -> None:
        self.context = replace(self.context, now=Micros(self.context.now + span))

    def _take(self, change: Change) -> None:
        self.world = change.world
        self.moves += change.moves


def a_target(active: Release | None = None, plan: Plan | None = None, **target: Any) -> TargetStory:
    """A target story; nothing runs there where no release is given."""
    return TargetStory(a_world(active, **target), plan or a_plan())


def a_request(version: VersionRef = CANDIDATE, **changes: Any) -> Notice:
    """CI says that a version is there. `time`, `key` and `source` belong to the notice, the rest to what it says."""
    outer = {name: changes.pop(name) for name in ("source", "key", "digest", "time") if name in changes}
    says = replace(ReleaseRequested("checkout", version, ALICE), **changes)
    return replace(Notice("ci", f"ci-{version.version}", f"sha256:{version.version}", says), **outer)
