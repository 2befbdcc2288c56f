"""What the golden histories tell: together every type of event, with every field of it used somewhere.

Only read when something new is recorded. What is recorded never changes again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from delivery.model.codec import digest
from delivery.model.event import (
    Approved,
    BaselineLost,
    BaselineReady,
    CandidateReady,
    Cause,
    CauseKind,
    Closed,
    Created,
    DriftCorrected,
    Event,
    HistoryLost,
    HoldLifted,
    HoldPlaced,
    HomeBegun,
    HomeEntered,
    HomeRestored,
    HookBegun,
    HookEnded,
    Level,
    MeshFailing,
    MeshRecovered,
    OverrideApproved,
    Phase,
    Promoted,
    PromotionBegun,
    Rejected,
    RollbackBegun,
    StableFound,
    StageEntered,
    StagePassed,
    StageSkipped,
    Started,
    TrafficConfirmed,
    VerdictChanged,
)
from delivery.model.hold import Hold, HoldKind
from delivery.model.hook import HookSpec, OnFailure, Step, When
from delivery.model.ids import MINUTE, SECOND, GateId, HookId, Micros, Principal, ReleaseId, target_id
from delivery.model.place import Mode, Promotion
from delivery.model.plan import Approval, GateSpec, Limit, LowTraffic, Plan, Require, Stage, Then
from delivery.model.traffic import CookieMatch, HeaderMatch, Match, MatchKind, Mirror, Rule, Sticky, Traffic
from delivery.model.verdict import Baseline, Judgement, Side, Verdict
from delivery.model.version import VersionRef

START = 1_795_514_531_000_000  # 2026-11-24 10:02:11 UTC
ALICE, BOB, CI = Principal("alice"), Principal("bob"), Principal("ci")
STABLE = VersionRef("1.4.1", "sha256:77a", "ghcr.io/acme/checkout@sha256:77a")
CANDIDATE = VersionRef("1.4.2", "sha256:9f2c", "ghcr.io/acme/checkout@sha256:9f2c")
ERRORS, LATENCY = GateId("errors"), GateId("latency")
EVIDENCE = "5f" * 32

GATES = (
    GateSpec(ERRORS, "ratio", {"template": "http_errors", "worse_than": 1.1, "floor": 0.001, "objective": 0.01}),
    GateSpec(LATENCY, "ratio", {"above": [250, 500], "worse_than": 1.2}, blocking=False, require=Require.PASS),
)


def at(seconds: float) -> Micros:
    return Micros(START + round(seconds * SECOND))


def stage(name: str, traffic: Traffic, approval: Approval | None = None) -> Stage:
    low = LowTraffic.ADVANCE if traffic.weight == 100 else LowTraffic.HOLD
    gates = (ERRORS, LATENCY)
    return Stage(
        name, name.split(maxsplit=1)[0], traffic, Micros(5 * MINUTE), Micros(15 * MINUTE), gates, approval, 500, low
    )


CANARY = Plan(
    stages=(
        stage("canary 5%", Traffic(5, sticky=Sticky("rel"))),
        stage("canary 25%", Traffic(25, sticky=Sticky("rel", (5,))), Approval(2, "sre", Micros(4 * 60 * MINUTE))),
    ),
    gates=GATES,
    promotion=Approval(),
    abort_on=("CheckoutErrors",),
)
CLONE = Plan(stages=(stage("canary 5%", Traffic(5)),), gates=GATES, mode=Mode.CLONE, home=Promotion.PATCH)
BETA = Rule(
    "beta",
    (
        Match((HeaderMatch("x-beta", MatchKind.EXACT, "true"), HeaderMatch("user-agent", MatchKind.REGEX, "é.*"))),
        Match(cookies=(CookieMatch("beta", "1"),), path="/beta"),
    ),
)
CHAIN = Plan(
    stages=(
        stage("dark_launch 10%", Traffic(mirror=Mirror(10, ("GET", "HEAD")))),
        stage("ab_test", Traffic(rules=(BETA,))),
        stage("blue_green switch", Traffic(100)),
    ),
    gates=GATES,
    then=Then.ASK,
    tick=Micros(10 * SECOND),
    alpha=0.01,
    at_limit=Limit.REVERT,
)


def created(number: int, plan: Plan, seconds: float = 0, **more: object) -> Created:
    fields: dict[str, object] = {"origin": {"source": "https://github.com/acme/checkout", "run_url": "https://ci/1"}}
    return Created(
        at=at(seconds),
        release=ReleaseId(f"rel_{number:02}"),
        number=number,
        target=target_id("checkout", "prod-eu"),
        candidate=CANDIDATE,
        actor=CI,
        plan=plan,
        plan_digest=digest(plan),
        **(fields | more),  # type: ignore[arg-type]
    )


def judged(verdict: Verdict, bad: int) -> Judgement:
    return Judgement(ERRORS, verdict, Side(bad, 812), Side(160, 9950), 3.104, (2.2, 4.4), detail="41 of 812")


def entered(number: int, seconds: float, dseq: int) -> tuple[Event, ...]:
    """A stage that is entered and proven; `dseq` is the number of its first event."""
    return (
        StageEntered(at=at(seconds), stage=number),
        TrafficConfirmed(at=at(seconds + 0.2), dseq=dseq, level=Level.PROBED, proxies=3),
    )


def passed(number: int, seconds: float, why: str = "baked") -> StagePassed:
    return StagePassed(
        at=at(seconds), stage=number, why=why, baked=Micros(5 * MINUTE), requests=812, first_tick=1, last_tick=20,
        evidence=EVIDENCE,
    )  # fmt: skip


PROMOTED = (
    created(1, CANARY),
    Started(at=at(1), stable=STABLE),
    CandidateReady(at=at(5)),
    *entered(0, 6, 4),
    VerdictChanged(at=at(20), judgement=judged(Verdict.CONTINUE, 1), tick=1, evidence=EVIDENCE),
    HoldPlaced(at=at(300), hold=Hold(HoldKind.LOW_TRAFFIC, at(300), "112 of 500 requests", until=at(900))),
    HoldLifted(at=at(400), kind=HoldKind.LOW_TRAFFIC),
    HoldPlaced(at=at(410), hold=Hold(HoldKind.PAUSE, at(410), "lunch", by=BOB)),
    HoldLifted(at=at(500), kind=HoldKind.PAUSE, by=BOB, reason="back"),
    passed(0, 501),
    Approved(at=at(510), stage=1, dseq=4, actor=ALICE, reason="looks good", via="slack"),
    Approved(at=at(520), stage=1, dseq=4, actor=BOB),
    *entered(1, 520, 14),
    VerdictChanged(at=at(700), judgement=judged(Verdict.PASS, 2), tick=21, evidence=EVIDENCE),
    passed(1, 701, "passed"),
    Approved(at=at(710), stage=2, dseq=14, actor=ALICE, via="api"),
    PromotionBegun(at=at(710), cause=Cause(CauseKind.COMPLETED)),
    TrafficConfirmed(at=at(711), dseq=19, level=Level.ACKED),
    Promoted(at=at(711)),
)
ROLLED_BACK = (
    created(2, CANARY, retry_of=ReleaseId("rel_00"), origin={}),
    Started(at=at(1), stable=STABLE),
    CandidateReady(at=at(5)),
    *entered(0, 6, 4),
    MeshFailing(at=at(30), detail="connection refused"),
    MeshRecovered(at=at(40)),
    DriftCorrected(at=at(50), detail="no stamp of ours, candidate weight 50"),
    VerdictChanged(at=at(60), judgement=judged(Verdict.FAIL, 41), tick=4, evidence=EVIDENCE),
    RollbackBegun(
        at=at(60),
        cause=Cause(CauseKind.GATE_FAILED, judgement=judged(Verdict.FAIL, 41)),
        then=Phase.ROLLED_BACK,
        stay=True,
    ),
    RollbackBegun(
        at=at(65), cause=Cause(CauseKind.GATE_FAILED, judgement=judged(Verdict.FAIL, 41)), then=Phase.ROLLED_BACK
    ),
    TrafficConfirmed(at=at(66), dseq=11, level=Level.SETTLED),
    Closed(at=at(66), phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.GATE_FAILED, judgement=judged(Verdict.FAIL, 41))),
)
REJECTED = (
    created(3, CHAIN),
    Started(at=at(1), stable=STABLE),
    CandidateReady(at=at(5)),
    *entered(0, 6, 4),
    passed(0, 306),
    *entered(1, 306, 7),
    passed(1, 606, "low_traffic"),
    Rejected(at=at(610), stage=2, dseq=7, actor=BOB, reason="not before Monday", via="page"),
    RollbackBegun(at=at(610), cause=Cause(CauseKind.REJECTED, BOB, "not before Monday"), then=Phase.WITHDRAWN),
    TrafficConfirmed(at=at(611), dseq=11, level=Level.WRITTEN),
    Closed(at=at(611), phase=Phase.WITHDRAWN, cause=Cause(CauseKind.REJECTED, BOB, "not before Monday")),
)
PROMOTED_BY_PERSON = (
    created(4, CHAIN, urgent=True, rolls_back=ReleaseId("rel_03")),
    Started(at=at(1), stable=None),
    CandidateReady(at=at(5)),
    *entered(0, 6, 4),
    StageSkipped(at=at(20), stage=0, actor=ALICE, reason="hotfix"),
    StageSkipped(at=at(20), stage=1, actor=ALICE, reason="hotfix"),
    StageSkipped(at=at(20), stage=2, actor=ALICE),
    PromotionBegun(at=at(20), cause=Cause(CauseKind.PROMOTED_BY_PERSON, ALICE, "hotfix")),
    TrafficConfirmed(at=at(21), dseq=9, level=Level.PROBED, proxies=1),
    Promoted(at=at(21)),
)
HISTORY_LOST = (
    created(5, CANARY),
    Started(at=at(1), stable=STABLE),
    CandidateReady(at=at(5)),
    *entered(0, 6, 4),
    HistoryLost(at=at(10), detail="the route carries rel_05 at event 9", live_weight=2),
    HoldPlaced(at=at(10), hold=Hold(HoldKind.HISTORY_LOST, at(10), "a failover")),
    HoldPlaced(at=at(11), hold=Hold(HoldKind.FREEZE, at(11), "weekend")),
    HoldLifted(at=at(12), kind=HoldKind.FREEZE, by=ALICE, reason="outage"),
    HoldLifted(at=at(13), kind=HoldKind.HISTORY_LOST, by=ALICE),
)
SUPERSEDED = (
    created(6, CANARY),
    Closed(at=at(1), phase=Phase.SUPERSEDED, cause=Cause(CauseKind.SUPERSEDED, other=ReleaseId("rel_07"))),
)
AT_HOME = (
    created(7, CLONE),
    Started(at=at(1), stable=None),
    StableFound(at=at(2), stable=STABLE),
    CandidateReady(at=at(5), share=5),
    *entered(0, 6, 5),
    StageSkipped(at=at(20), stage=0, actor=ALICE, reason="hotfix"),
    CandidateReady(at=at(25), share=100),
    PromotionBegun(at=at(25), cause=Cause(CauseKind.PROMOTED_BY_PERSON, ALICE, "hotfix")),
    TrafficConfirmed(at=at(26), dseq=9, level=Level.ACKED, proxies=3),
    HomeBegun(at=at(26)),
    HomeEntered(at=at(60)),
    TrafficConfirmed(at=at(61), dseq=12, level=Level.ACKED, proxies=3),
    Promoted(at=at(61)),
)
BACK_FROM_HOME = (
    created(8, replace(CLONE, home=Promotion.NONE)),
    Started(at=at(1), stable=STABLE),
    StableFound(at=at(2), stable=STABLE),
    CandidateReady(at=at(5), share=100),
    *entered(0, 6, 5),
    StageSkipped(at=at(20), stage=0, actor=ALICE),
    PromotionBegun(at=at(20), cause=Cause(CauseKind.PROMOTED_BY_PERSON, ALICE)),
    TrafficConfirmed(at=at(21), dseq=8, level=Level.ACKED),
    HomeBegun(at=at(21)),
    RollbackBegun(at=at(30), cause=Cause(CauseKind.ABORTED, BOB, "slow"), then=Phase.ROLLED_BACK),
    TrafficConfirmed(at=at(31), dseq=11, level=Level.PROBED),
    HomeRestored(at=at(50)),
    Closed(at=at(50), phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.ABORTED, BOB, "slow")),
)
OVERRIDDEN = (
    created(9, replace(CANARY, override=Approval(2, "sre", Micros(60 * MINUTE)))),
    Started(at=at(1), stable=STABLE),
    CandidateReady(at=at(5)),
    *entered(0, 6, 4),
    HoldPlaced(at=at(10), hold=Hold(HoldKind.PAUSE, at(10), "lunch", by=BOB, via="slack")),
    OverrideApproved(at=at(11), kind=HoldKind.PAUSE, actor=ALICE, reason="go", via="token", until=at(3611)),
    HoldLifted(at=at(12), kind=HoldKind.PAUSE, by=BOB, via="cli"),
    HoldPlaced(at=at(13), hold=Hold(HoldKind.FREEZE, at(13), "weekend")),
    OverrideApproved(at=at(14), kind=HoldKind.FREEZE, actor=BOB, reason="hotfix", via="slack"),
    StageSkipped(at=at(20), stage=0, actor=ALICE, reason="hotfix", via="page"),
    OverrideApproved(at=at(21), kind=HoldKind.FREEZE, actor=ALICE),
    PromotionBegun(at=at(22), cause=Cause(CauseKind.PROMOTED_BY_PERSON, ALICE, "hotfix", via="page")),
    TrafficConfirmed(at=at(23), dseq=13, level=Level.ACKED),
    Promoted(at=at(23)),
)

MIGRATE, SMOKE, TELL = HookId("migrate"), HookId("smoke"), HookId("tell")
HOOKS = (
    HookSpec(
        MIGRATE,
        "job",
        {"template": "checkout-migrate"},
        (Step(When.START), Step(When.BEFORE, 1)),
        Micros(20 * MINUTE),
        1,
        OnFailure.ASK,
    ),
    HookSpec(SMOKE, "http", {"host": "platform", "path": "/smoke"}),
    HookSpec(TELL, "http", {"host": "platform", "path": "/released"}, (Step(When.PROMOTED), Step(When.REVERTED))),
)
HOOKED = Plan(
    stages=(replace(CLONE.stages[0], hooks=(SMOKE,)), replace(CLONE.stages[0], name="canary 50%", hooks=())),
    gates=CLONE.gates,
    hooks=HOOKS,
)
START_STEP, DURING_STEP, REVERTED_STEP = Step(When.START), Step(When.DURING, 0), Step(When.REVERTED)
HOOK_FAILED = Cause(CauseKind.HOOK_FAILED, reason="smoke: 3 of 12 checks failed")
HELD_BY_HOOK = Hold(HoldKind.HOOK, at(34), "migrate: no such table", stops=True)
HOOKS_FAILED = (
    created(10, HOOKED),
    Started(at=at(1), stable=STABLE),
    HookBegun(at=at(1), hook=MIGRATE, step=START_STEP, attempt=1),
    HookEnded(at=at(11), hook=MIGRATE, step=START_STEP, attempt=1, ok=False, detail="the database is busy", again=True),
    HookBegun(at=at(21), hook=MIGRATE, step=START_STEP, attempt=2),
    HookEnded(at=at(34), hook=MIGRATE, step=START_STEP, attempt=2, ok=False, detail="no such table"),
    HoldPlaced(at=at(34), hold=HELD_BY_HOOK),
    HoldLifted(at=at(90), kind=HoldKind.HOOK, by=BOB, reason="done by hand"),
    CandidateReady(at=at(100)),
    StageEntered(at=at(100), stage=0),
    TrafficConfirmed(at=at(101), dseq=10, level=Level.PROBED, proxies=2),
    HookBegun(at=at(101), hook=SMOKE, step=DURING_STEP, attempt=1),
    HookEnded(at=at(120), hook=SMOKE, step=DURING_STEP, attempt=1, ok=False, detail="3 of 12 checks failed"),
    RollbackBegun(at=at(120), cause=HOOK_FAILED, then=Phase.ROLLED_BACK),
    TrafficConfirmed(at=at(121), dseq=14, level=Level.PROBED, proxies=2),
    HookBegun(at=at(121), hook=TELL, step=REVERTED_STEP, attempt=1),
    HookEnded(at=at(122), hook=TELL, step=REVERTED_STEP, attempt=1, ok=True),
    Closed(at=at(122), phase=Phase.ROLLED_BACK, cause=HOOK_FAILED),
)
HOOK_LEFT = (
    created(11, HOOKED),
    Started(at=at(1), stable=STABLE),
    HookBegun(at=at(1), hook=MIGRATE, step=START_STEP, attempt=1),
    RollbackBegun(at=at(5), cause=Cause(CauseKind.ABORTED, BOB, "the wrong branch"), then=Phase.CANCELLED),
    TrafficConfirmed(at=at(6), dseq=4, level=Level.ACKED),
    Closed(at=at(6), phase=Phase.CANCELLED, cause=Cause(CauseKind.ABORTED, BOB, "the wrong branch")),
)

COMPARED = Plan(
    stages=(stage("canary 5%", Traffic(5, baseline=5)), stage("canary 50%", Traffic(50, baseline=25))),
    gates=(replace(GATES[0], baseline=Baseline.FRESH),),
    mode=Mode.VERSIONED,
)
NOT_READY = Hold(HoldKind.BASELINE_UNREADY, at(200), "0 of 1 pods", until=at(800), stops=True)
COLDER = Judgement(ERRORS, Verdict.FAIL, Side(41, 812), Side(13, 807), 3.1, (2.2, 4.4), baseline=Baseline.FRESH)
COPY_LOST = (
    created(12, COMPARED),
    Started(at=at(1), stable=STABLE),
    CandidateReady(at=at(5), share=5),
    BaselineReady(at=at(6), share=5),
    StageEntered(at=at(6), stage=0, compared=True),
    TrafficConfirmed(at=at(7), dseq=5, level=Level.ACKED, proxies=3),
    BaselineLost(at=at(200), had_share=True, detail="0 of 1 pods"),
    HoldPlaced(at=at(200), hold=NOT_READY),
    TrafficConfirmed(at=at(201), dseq=7, level=Level.ACKED, proxies=3),
    HoldLifted(at=at(260), kind=HoldKind.BASELINE_UNREADY),
    BaselineReady(at=at(260), share=5),
    StageEntered(at=at(260), stage=0, compared=True),
    TrafficConfirmed(at=at(261), dseq=12, level=Level.ACKED, proxies=3),
    RollbackBegun(at=at(300), cause=Cause(CauseKind.GATE_FAILED, judgement=COLDER), then=Phase.ROLLED_BACK),
    TrafficConfirmed(at=at(301), dseq=14, level=Level.ACKED, proxies=3),
    Closed(at=at(301), phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.GATE_FAILED, judgement=COLDER)),
)

STORIES: Mapping[str, Iterable[Event]] = {
    "promoted": PROMOTED,
    "rolled_back": ROLLED_BACK,
    "rejected": REJECTED,
    "promoted_by_person": PROMOTED_BY_PERSON,
    "history_lost": HISTORY_LOST,
    "superseded": SUPERSEDED,
    "at_home": AT_HOME,
    "back_from_home": BACK_FROM_HOME,
    "overridden": OVERRIDDEN,
    "hooks_failed": HOOKS_FAILED,
    "hook_left": HOOK_LEFT,
    "copy_lost": COPY_LOST,
}
