"""A random walk over a whole target, decided by its seed alone. Every step is checked by `invariants`."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from delivery.machine.actions import SOMEBODY, allowed
from delivery.machine.admission import admit
from delivery.machine.advance import advance
from delivery.machine.change import Change, Move
from delivery.machine.refusal import Refusal
from delivery.machine.step import step
from delivery.model import signal as s
from delivery.model.context import Context, Freeze, Stop
from delivery.model.event import CauseKind, Level, Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookRun, OnFailure, Step, When
from delivery.model.ids import HOUR, MINUTE, SECOND, HookId, Micros, Principal, ReleaseId
from delivery.model.notice import Again, Alert, Notice, ReleaseAction
from delivery.model.place import Mode, Place, Promotion
from delivery.model.plan import Limit, LowTraffic, Require, Then, placed
from delivery.model.release import Release
from delivery.model.service import OnNewVersion
from delivery.model.signal import PersonSignal, Signal
from delivery.model.traffic import HeaderMatch, Match, MatchKind, Mirror, Rule, Traffic
from delivery.model.verdict import Verdict
from delivery.testing.builders import (
    ALICE,
    BOB,
    CAROL,
    NOW,
    a_gate,
    a_hook,
    a_plan,
    a_request,
    a_stage,
    a_tick,
    a_version,
    a_world,
    an_approval,
)
from tests.unit.machine.invariants import Witness, check_world, holds_are_sane

BETA = Rule("beta", (Match(headers=(HeaderMatch("x-beta", MatchKind.EXACT, "true"),)),))
ALERT = "CheckoutErrors"
PLANS = (
    a_plan(abort_on=(ALERT,)),
    a_plan(abort_on=(ALERT,), override=an_approval(2, group="sre", expires=Micros(HOUR))),
    a_plan(
        a_stage(5, approval=an_approval(group="sre")),
        a_stage(50, low_traffic=LowTraffic.ADVANCE),
        promotion=an_approval(2, expires=None),
        at_limit=Limit.REVERT,
        abort_on=(ALERT,),
    ),
    a_plan(
        a_stage(0, name="mirror", traffic=Traffic(mirror=Mirror(10))),
        a_stage(0, name="beta", traffic=Traffic(rules=(BETA,))),
        then=Then.ASK,
    ),
    a_plan(a_stage(0, name="beta", traffic=Traffic(rules=(BETA,))), then=Then.WITHDRAW),
    a_plan(a_stage(100, name="switch", approval=an_approval()), gates=(a_gate(require=Require.PASS),)),
    a_plan(abort_on=(ALERT,), mode=Mode.CLONE, home=Promotion.PATCH),
    a_plan(a_stage(20), mode=Mode.CLONE, home=Promotion.NONE),
    a_plan(a_stage(30), mode=Mode.VERSIONED),
    a_plan(
        a_stage(0, name="preview", traffic=Traffic(rules=(BETA,)), hooks=(HookId("smoke"),)),
        a_stage(50, approval=an_approval()),
        hooks=(
            a_hook("migrate", retries=1),
            a_hook("warm", When.TRAFFIC, Step(When.BEFORE, 1), on_failure=OnFailure.ASK),
            a_hook("smoke", When.PROMOTION),
            a_hook("after", When.PROMOTED, When.REVERTED, retries=2),
        ),
    ),
    a_plan(a_stage(5, traffic=Traffic(5, baseline=5)), a_stage(50, traffic=Traffic(50, baseline=25))),
    a_plan(
        a_stage(30, traffic=Traffic(30, rules=(BETA,), baseline=30)),
        a_stage(80),
        mode=Mode.CLONE,
        home=Promotion.PATCH,
        at_limit=Limit.REVERT,
    ),
    placed(a_plan(a_stage(30), gates=(a_gate(at_full=True),)), Place("shop", "checkout", "checkout", Mode.OBSERVE)),
)
VERSIONS = tuple(a_version(f"1.4.{patch}") for patch in range(1, 6))
CHANCES = {
    "event": 6,
    "again": 2,
    "alert": 2,
    "person": 5,
    "resume": 4,
    "time": 8,
    "freeze": 2,
    "stop": 1,
    "candidate": 10,
    "copy": 6,
    "home": 4,
    "stable": 2,
    "mesh": 2,
    "hook": 6,
    "trouble": 2,
    "around": 2,
    "proxies": 14,
    "tick": 18,
}
"""What happens next is drawn by weight: a release is likely to get on, and now and then everything goes wrong."""


class Walk:
    """`seen` has every (phase, signal type) that a release met."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = a_world(stable=VERSIONS[0] if self.random.random() < 0.9 else None)
        self.context = Context(NOW)
        self.witness = Witness()
        self.seen: set[tuple[Phase, type[Signal]]] = set()
        self.sent = 0
        self.trace: list[str] = []

    def run(self, steps: int) -> "Walk":
        """Walks; then people and the world do what is waited for, and every release must end."""
        happenings: dict[str, Callable[[], None]] = {name: getattr(self, f"_{name}") for name in CHANCES}
        for name in self.random.choices(list(CHANCES), list(CHANCES.values()), k=steps):
            happenings[name]()
            if self.active is not None and self.active.phase is Phase.PROMOTING and self.random.random() < 0.3:
                self._one(self._trouble, self._mesh)()  # rare as it is, nothing would go wrong in it by chance
            if self.random.random() < 0.25:
                self._allowed_is_true()
        self._all_ends_well()
        return self

    @property
    def active(self) -> Release | None:
        return self.world.active

    # taking decisions

    def _take(self, change: Change) -> None:
        before, self.world = self.world, change.world
        for move in change.moves:
            self.trace.append(f"{move.after.id} {move.after.seq} {move.event}")
            self._seen_while_queued(move)
        self.witness.see(change.moves, self.context)
        holds_are_sane(change.moves)
        check_world(before, change.world, change.moves)

    def _seen_while_queued(self, move: Move) -> None:
        """What admission tells a waiting release is not told through `_tell`."""
        if move.before is not None and move.before.phase is Phase.QUEUED:
            kind = move.after.cause.kind if move.after.cause else None
            told = {None: s.TurnCame, CauseKind.SUPERSEDED: s.SupersededBy, CauseKind.STABLE_AGAIN: s.StableAgain}
            self.seen.add((Phase.QUEUED, told.get(kind, s.Abort)))

    def _tell(self, signal: Signal) -> None:
        self.trace.append(f"<- {signal}")
        if self.active is not None:
            self.seen.add((self.active.phase, type(signal)))
        change = advance(self.world, signal, self.context)
        assert change == advance(self.world, signal, self.context), "the same input, another decision"
        self._take(change)

    def _admit(self, notice: Notice, plan=PLANS[0], policy=OnNewVersion.QUEUE_LATEST) -> None:
        self.sent += 1
        self.trace.append(f"<- {notice.says}")
        context = replace(self.context, fresh_ids=(ReleaseId(f"rel_{self.sent}"),))
        admission = admit(self.world, notice, plan, policy, context)
        assert admission.reason
        assert admission.text
        assert (admission.outcome == "no_op") == (not admission.change or not admission.change.moves)
        if admission.change is not None:
            self._take(admission.change)

    def _if_it_fits(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Refusal as refusal:
            self.trace.append(f"   refused: {refusal}")

    def _one(self, *choices):
        return self.random.choice(choices)

    # what happens

    def _event(self) -> None:
        time = self._one(None, self.context.now, self.context.now, Micros(self.context.now - MINUTE))
        actor, version = self._one(ALICE, BOB), self._one(*VERSIONS)
        notice = a_request(version, urgent=self.random.random() < 0.1, time=time, actor=actor)
        plan, policy = self._one(*PLANS), self._one(*OnNewVersion)
        if self.world.target.active is not None and self.random.random() < 0.5:
            policy = OnNewVersion.QUEUE_LATEST
        self._admit(notice, plan, policy)
        heads = dict(self.witness.heads)
        if time is not None:
            self._admit(notice, plan, policy)
            assert self.witness.heads == heads, "a repeated event did something"

    def _again(self) -> None:
        over = [key for key, release in self.world.releases.items() if release.phase.closed]
        if over:
            says = Again(self._one(*over), self._one(True, False), BOB)
            self._if_it_fits(lambda: self._admit(Notice("api", f"again-{self.sent}", "d", says)))

    def _alert(self) -> None:
        started = Micros(self.context.now + self._one(-HOUR, 0, 1))
        self._tell(s.AlertFired(ALERT, started))
        self._admit(Notice("alertmanager", f"alert-{self.sent}", "d", Alert(ALERT, started)))

    def _person(self) -> None:
        release = self._some_release()
        if release is None:
            return
        actor, groups = self._one(ALICE, BOB, CAROL), self._one((), ("sre",), ("sre",))
        kind = self._one(s.Approve, s.Approve, s.Approve, s.Reject, s.Pause, s.Abort, s.PromoteNow)
        dseq = self._one(None, release.dseq, release.dseq - 1)
        self._says(release, kind(actor, groups=groups, dseq=dseq))

    def _resume(self) -> None:
        release = self._some_release()
        if release is None:
            return
        held = tuple(hold.kind for hold in release.holds)
        kinds = self._one(held or tuple(HoldKind)[:1], (self._one(*HoldKind),), held[:1])
        reason, admin = self._one("we looked", ""), self._one(True, False)
        who, groups = self._one(CAROL, CAROL, BOB, ALICE), self._one((), ("sre",), ("sre",))
        self._says(release, s.Resume(who, reason, groups=groups, admin=admin, holds=kinds))

    def _some_release(self) -> Release | None:
        releases = list(self.world.releases.values())
        if self.active is not None and self.random.random() < 0.8:
            return self.active
        return self.random.choice(releases) if releases else None

    def _says(self, release: Release, signal: PersonSignal) -> None:
        self.seen.add((release.phase, type(signal)))
        notice = Notice("api", f"action-{self.sent}", "d", ReleaseAction(release.id, signal))
        self._if_it_fits(lambda: self._admit(notice))

    def _time(self) -> None:
        span = self._one(SECOND, 15 * SECOND, 5 * MINUTE, 40 * MINUTE, 5 * HOUR, -10 * SECOND)
        self.context = replace(self.context, now=Micros(self.context.now + span))
        self._tell(s.Due())

    def _freeze(self) -> None:
        now, freeze = self.context.now, None
        if self.context.freeze is None:
            freeze = Freeze("weekend", now, Micros(now + HOUR))
        self.context = replace(self.context, freeze=freeze, freeze_edge=freeze.end if freeze else None)
        self._tell(s.Due())

    def _stop(self) -> None:
        stop = None if self.context.stop else Stop(CAROL, "incident 7", self.context.now)
        self.context = replace(self.context, stop=stop)
        self._tell(s.Due())

    def _candidate(self) -> None:
        share = self._one(5, 20, 50, 100, 100)
        self._tell(self._one(*[s.WorkloadReady(share)] * 5, s.WorkloadMissing("deployment checkout-1.4.2")))

    def _copy(self) -> None:
        share = self._one(5, 25, 30, 30)
        gone = s.BaselineMissing("a copy of 1.4.1", self._one(True, False), self._one(True, False, False))
        self._tell(self._one(*[s.BaselineReady(share)] * 3, gone))

    def _home(self) -> None:
        found = s.StableIs(self._one(self.world.target.stable, self.world.target.stable, *VERSIONS, None))
        home = s.HomeReady(self.active.candidate if self.active else VERSIONS[0])
        stable = s.HomeReady(self.world.target.stable or VERSIONS[0])
        missing = s.StableMissing("Deployment checkout in shop")
        self._tell(self._one(found, found, found, found, home, home, home, stable, missing))

    def _stable(self) -> None:
        self._tell(self._one(s.StableUnready("0 of 3 pods"), s.StableReady(), s.StableReady()))

    def _mesh(self) -> None:
        drift = self._one(1, 1, 6)
        self._tell(self._one(s.MeshDown("connection refused"), s.MeshUp(), s.Drifted("weight 50", drift)))

    def _hook(self) -> None:
        nobody = HookRun(HookId("nobody"), Step(When.START), 1, self.context.now)
        for run in (self.active.hooks if self.active else ()) or (nobody,):
            attempt = run.attempt - self._one(0, 0, 0, 1)
            self._tell(s.HookAnswered(run.hook, run.step, attempt, self._one(True, True, False, None), "exit code 1"))

    def _trouble(self) -> None:
        lost = s.HistoryLost("the stamp of event 12", self._one(0, 70))
        self._tell(self._one(s.WorkloadFailing("exit code 1"), lost, lost))

    def _around(self) -> None:
        self._tell(self._one(s.SupersededBy(ReleaseId("rel_x")), s.StableAgain(BOB), s.TurnCame(VERSIONS[0])))

    def _proxies(self) -> None:
        if self.active is not None:
            dseq = self.active.dseq - self._one(0, 0, 0, 0, 1)
            proven = s.Confirmed(dseq, Level.ACKED, 3)
            late, refused = s.Unconfirmed(dseq, ("gateway-1",)), s.Nacked(dseq, "unknown cluster")
            self._tell(self._one(*[proven] * 9, late, late, refused))

    def _tick(self) -> None:
        release = self.active
        if release is None or release.stage < 0:
            return
        verdict = self._one(*[Verdict.CONTINUE] * 5, *[Verdict.PASS] * 3, *Verdict)
        bake = Micros(release.plan.stages[release.stage].bake * self._one(0, 1, 1))
        dseq = release.dseq - self._one(0, 0, 0, 0, 1)
        self._tell(a_tick(release, verdict, baked=bake, requests=self._one(0, 60, 60), dseq=dseq))

    # what must hold besides

    def _allowed_is_true(self) -> None:
        """`allowed` names an action exactly where somebody with every right could do it."""
        for release in self.world.releases.values():
            if release.phase.closed:
                continue
            named = allowed(release, self.context)
            for name, signal in everything(release).items():
                assert (name in named) == self._works(release, signal), f"{name}: {named}"

    def _works(self, release: Release, signal: PersonSignal) -> bool:
        try:
            step(release, signal, self.context)
        except Refusal:
            return False
        return True

    def _all_ends_well(self) -> None:
        self.context = replace(self.context, freeze=None, freeze_edge=None, stop=None)
        for _ in range(60):
            if self.active is None:
                break
            self._good_round()
        assert self.active is None, f"stuck: {self.active}"
        assert all(release.phase.closed for release in self.world.releases.values())

    def _good_round(self) -> None:
        """The world is well again, and people lift what may be lifted and agree to what is asked."""
        self.context = replace(self.context, now=Micros(self.context.now + 10 * SECOND))
        stable = self.world.target.stable
        home = [s.HomeReady(version) for version in (self.active.candidate if self.active else None, stable) if version]
        for signal in (
            s.StableIs(stable),
            s.StableReady(),
            s.WorkloadReady(),
            s.BaselineReady(30),
            s.MeshUp(),
            *home,
            s.Due(),
        ):
            self._tell(signal)
        for hold in self.active.holds if self.active else ():
            for voter in ("dora", "emil"):
                self._try(s.Resume(Principal(voter), "seen", groups=("sre",), admin=True, holds=(hold.kind,)))
        for voter in ("dora", "emil"):
            self._try(s.Approve(Principal(voter), groups=("sre",)))
        if self.active is not None:
            self._tell(s.Confirmed(self.active.dseq, Level.ACKED, 3))
        if self.active is not None and self.active.phase is Phase.BAKING:
            self._tell(a_tick(self.active, Verdict.PASS))
        for run in self.active.hooks if self.active is not None else ():
            self._tell(s.HookAnswered(run.hook, run.step, run.attempt, ok=True))

    def _try(self, signal: PersonSignal) -> None:
        self._if_it_fits(lambda: self._tell(signal))


NEVER_RESUMED = (HoldKind.STOP, HoldKind.APPROVAL, HoldKind.CANDIDATE_UNREADY)


def everything(release: Release) -> dict[str, PersonSignal]:
    """Each action, by somebody who may do all and names every hold that can be named."""
    liftable = tuple(hold.kind for hold in release.holds if hold.kind not in NEVER_RESUMED)
    return {
        "approve": s.Approve(SOMEBODY, groups=("sre",)),
        "reject": s.Reject(SOMEBODY),
        "pause": s.Pause(SOMEBODY),
        "resume": s.Resume(SOMEBODY, "asked", groups=("sre",), admin=True, holds=liftable),
        "promote": s.PromoteNow(SOMEBODY),
        "abort": s.Abort(SOMEBODY),
    }
