"""Golden sentences: what people read when production is in trouble must not change by accident."""

import math
from dataclasses import replace

import pytest

from delivery.machine.holds import HOLDS, Lifts
from delivery.model import event as events
from delivery.model.event import Cause, CauseKind, Level, Phase
from delivery.model.hold import Hold, HoldKind
from delivery.model.hook import Step, When
from delivery.model.ids import MINUTE, SECOND, GateId, HookId, Micros, Principal, ReleaseId, TargetId
from delivery.model.message import Message
from delivery.model.place import Mode, Promotion
from delivery.model.plan import Approval
from delivery.model.traffic import CookieMatch, HeaderMatch, Match, MatchKind, Mirror, Rule, Sticky, Traffic
from delivery.model.verdict import Judgement, Side, Verdict
from delivery.wording.cause import because
from delivery.wording.chat import bar, summary, text
from delivery.wording.history import line
from delivery.wording.hold import ends, wanted, what
from delivery.wording.release import headline, outcome
from delivery.wording.traffic import describe
from delivery.wording.units import THIN
from delivery.wording.verdict import brief, finding
from tests.unit.wording.builders import CANDIDATE, ERRORS, NOW, PLAN, STABLE, release

ALICE, BOB = Principal("alice"), Principal("bob")


def plain(sentence: str) -> str:
    return sentence.replace(THIN, " ")


def test_a_failed_gate_is_told_with_its_numbers():
    assert plain(finding(ERRORS)) == "errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950"
    assert brief(ERRORS) == "errors 3.1x stable (2.2-4.4) failed"


def test_what_a_gate_took_back_is_told_with_the_time_that_it_took():
    slow = replace(
        ERRORS, detail="36 of 41 errors from pod-a, which had 33 % of the requests", lasted=Micros(75 * SECOND)
    )
    assert plain(because(Cause(CauseKind.GATE_FAILED, judgement=slow))) == (
        "errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950; "
        "36 of 41 errors from pod-a, which had 33 % of the requests; found after 1m15s"
    )


@pytest.mark.parametrize(
    ("judgement", "sentence", "short"),
    [
        (
            replace(ERRORS, verdict=Verdict.PASS, ratio=1.02, interval=(0.6, 1.7)),
            "errors 1.02 times stable's (0.6 to 1.7), 41 of 812 against 160 of 9 950",
            "errors 1.02x stable (0.6-1.7) ok",
        ),
        (
            replace(ERRORS, interval=(2.2, math.inf)),
            "errors 3.1 times stable's (2.2 or more), 41 of 812 against 160 of 9 950",
            "errors 3.1x stable (2.2-∞) failed",
        ),
        (
            replace(ERRORS, ratio=None, interval=(4.4, math.inf), stable=Side(0, 9950), detail="slower than 250 ms"),
            "errors 4.4 times stable's or more, 41 of 812 against 0 of 9 950; slower than 250 ms",
            "errors failed",
        ),
        (
            replace(ERRORS, ratio=None, interval=(0.0, math.inf), stable=Side(0, 9950)),
            "errors 41 of 812 against 0 of 9 950",
            "errors failed",
        ),
        (
            replace(ERRORS, ratio=None, interval=None, stable=Side(0, 9950), detail="slower than 50 ms"),
            "errors 41 of 812 against 0 of 9 950; slower than 50 ms",
            "errors failed",
        ),
        (
            replace(ERRORS, ratio=None, interval=(0.0, math.inf), stable=Side(0, 0), verdict=Verdict.PASS),
            "errors 41 of 812",
            "errors ok",
        ),
        (
            replace(ERRORS, interval=None),
            "errors 3.1 times stable's, 41 of 812 against 160 of 9 950",
            "errors 3.1x stable failed",
        ),
        (
            Judgement(GateId("success"), Verdict.FAIL, Side(80, 812), Side(0, 0), detail="90.1 % of 812, 99 % wanted"),
            "success 90.1 % of 812, 99 % wanted",
            "success failed",
        ),
        (
            Judgement(GateId("errors"), Verdict.NO_DATA, Side(0, 0), Side(0, 0), detail="no answer in 5s"),
            "errors: no data (no answer in 5s)",
            "errors no data",
        ),
        (
            Judgement(GateId("errors"), Verdict.CONTINUE, Side(0, 3), Side(1, 90)),
            "errors 0 of 3 against 1 of 90",
            "errors ok so far",
        ),
    ],
)
def test_verdicts(judgement, sentence, short):
    assert plain(finding(judgement)) == sentence
    assert brief(judgement) == short


@pytest.mark.parametrize(
    ("traffic", "sentence"),
    [
        (Traffic(), "nobody"),
        (Traffic(weight=100), "everybody"),
        (Traffic(weight=5), "5 % of requests"),
        (Traffic(weight=5, sticky=Sticky("rel")), "5 % of users"),
        (Traffic(weight=5, baseline=5), "5 % of requests, beside 5 % for a copy of stable"),
        (
            Traffic(mirror=Mirror(10, ("GET", "HEAD"))),
            "copies of 10 % of GET and HEAD requests, answered to nobody",
        ),
        (
            Traffic(
                weight=5,
                rules=(
                    Rule("beta", (Match((HeaderMatch("x-beta", MatchKind.EXACT, "true"),)), Match(path="/beta"))),
                    Rule("eu", (Match(cookies=(CookieMatch("region", "eu"),), path="/shop"),)),
                ),
            ),
            "5 % of requests and requests with header x-beta that is true, path below /beta "
            "or cookie region=eu and path below /shop",
        ),
    ],
)
def test_traffic_says_who_gets_the_candidate(traffic, sentence):
    assert plain(describe(traffic)) == sentence


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (Cause(CauseKind.GATE_FAILED, judgement=ERRORS), finding(ERRORS)),
        (Cause(CauseKind.ABORTED, ALICE, "checkout is slow"), "aborted by alice: checkout is slow"),
        (Cause(CauseKind.SUPERSEDED, other=ReleaseId("rel_02")), "a newer version took its place (rel_02)"),
        (Cause(CauseKind.ALERT, reason="CheckoutErrors"), "an alert that the service names fired: CheckoutErrors"),
    ],
)
def test_causes(cause, sentence):
    assert because(cause) == sentence


def test_every_cause_has_words_of_its_own():
    assert len({because(Cause(kind)) for kind in CauseKind}) == len(CauseKind)


def test_every_hold_says_what_it_is_and_who_can_end_it():
    assert len({what(Hold(kind, NOW)) for kind in HoldKind}) == len(HoldKind)
    assert all(ends(kind) for kind in HoldKind if kind is not HoldKind.APPROVAL)
    hold = Hold(HoldKind.PAUSE, NOW, "lunch", BOB, until=NOW)
    assert what(hold) == "paused by bob: lunch (until 2026-11-24 10:02:11 UTC)"


@pytest.mark.parametrize("kind", [kind for kind in HOLDS if kind is not HoldKind.APPROVAL])
def test_who_can_end_a_hold_is_who_the_machine_lets(kind):
    sentence, lifts = ends(kind), HOLDS[kind].lifts
    assert ("admin" in sentence) is (lifts is Lifts.ADMIN)
    assert ("resume" in sentence) is (lifts is not Lifts.NOBODY)
    assert ("with a reason" in sentence) is (lifts is Lifts.WITH_REASON)
    assert f"naming {kind.value}" in sentence or lifts is Lifts.NOBODY or kind is HoldKind.PAUSE


def test_an_approval_says_how_many_of_whom_and_who_cannot():
    assert wanted(Approval(1), (), "alice") == "needs 1 approver, not alice, who started it"
    assert wanted(Approval(2, "sre"), ("bob",), "alice") == (
        "needs 1 more of sre, not alice, who started it; bob approved"
    )


SMOKE = HookId("smoke")
HISTORY = [
    (
        events.Created(
            at=NOW,
            release=ReleaseId("rel_01JD"),
            number=412,
            target=TargetId("checkout@prod-eu"),
            candidate=CANDIDATE,
            actor=ALICE,
            plan=PLAN,
            plan_digest="d",
            urgent=True,
        ),
        "1.4.2 was asked for by alice, urgent; 4 stages",
    ),
    (events.Started(at=NOW, stable=STABLE), "its turn came: it is compared with stable 1.4.1"),
    (events.Started(at=NOW, stable=None), "its turn came: the first version here, nothing is stable yet"),
    (events.StableFound(at=NOW, stable=STABLE), "1.4.1 runs here now: that is stable"),
    (
        events.StableFound(at=NOW, stable=None),
        "nothing runs here now: the first version, with nothing to compare it with",
    ),
    (events.CandidateReady(at=NOW), "the candidate is ready and the proxies know where it is"),
    (events.StageEntered(at=NOW, stage=1), "canary 5% (2/4): the candidate gets 5 % of requests"),
    (
        events.TrafficConfirmed(at=NOW, dseq=5, level=Level.ACKED, proxies=119),
        "traffic is acknowledged by the proxies (119 of them)",
    ),
    (events.VerdictChanged(at=NOW, judgement=ERRORS, tick=4, evidence="e"), f"worse: {finding(ERRORS)}"),
    (
        events.Approved(at=NOW, stage=2, dseq=7, actor=BOB, reason="looks good", via="slack"),
        "bob approved canary 25% (3/4) (by slack): looks good",
    ),
    (events.Rejected(at=NOW, stage=4, dseq=7, actor=BOB), "bob rejected 100 %"),
    (events.HoldPlaced(at=NOW, hold=Hold(HoldKind.PAUSE, NOW, by=BOB)), "held: paused by bob"),
    (
        events.HoldLifted(at=NOW, kind=HoldKind.LOW_TRAFFIC, by=BOB, reason="night"),
        "hold low_traffic lifted by bob: night",
    ),
    (events.HoldLifted(at=NOW, kind=HoldKind.STRAGGLERS), "hold stragglers over"),
    (
        events.OverrideApproved(at=NOW, kind=HoldKind.FREEZE, actor=BOB, reason="hotfix", via="slack"),
        "bob agrees to lift freeze (by slack): hotfix",
    ),
    (
        events.StagePassed(
            at=NOW,
            stage=1,
            why="baked",
            baked=Micros(5 * MINUTE),
            requests=1812,
            first_tick=1,
            last_tick=20,
            evidence="e",
        ),
        "canary 5% (2/4) passed after 5m and 1 812 candidate requests: its bake is over and no gate failed",
    ),
    (
        events.StagePassed(
            at=NOW,
            stage=1,
            why="baked",
            baked=Micros(5 * MINUTE),
            requests=3,
            first_tick=1,
            last_tick=20,
            evidence="e",
            judgements=(Judgement(GateId("errors"), Verdict.CONTINUE, Side(0, 3), Side(1, 90)),),
        ),
        "canary 5% (2/4) passed after 5m and 3 candidate requests: its bake is over and no gate failed; "
        "errors 0 of 3 against 1 of 90",
    ),
    (events.StageSkipped(at=NOW, stage=3, actor=BOB, reason="hotfix"), "canary 50% (4/4) skipped by bob: hotfix"),
    (
        events.PromotionBegun(at=NOW, cause=Cause(CauseKind.COMPLETED)),
        "the candidate gets everybody: every stage passed",
    ),
    (
        events.HomeBegun(at=NOW),
        "our copy has everybody: its owners' own workload is being made to run the candidate",
    ),
    (events.HomeEntered(at=NOW), "its owners' own workload runs the candidate and gets everybody; our copy goes"),
    (events.HomeRestored(at=NOW), "its owners' own workload runs stable again, and nothing of the candidate"),
    (
        events.HookBegun(at=NOW, hook=SMOKE, step=Step(When.DURING, 1), attempt=2),
        "hook smoke is called during canary 5% (2/4) (attempt 2)",
    ),
    (
        events.BaselineReady(at=NOW, share=5),
        "the copy of stable is ready for 5 % of the traffic",
    ),
    (
        events.BaselineLost(at=NOW, had_share=True, detail="0 of 1 pods"),
        "the copy of stable does not answer any more, stable has its share: 0 of 1 pods",
    ),
    (
        events.HookEnded(at=NOW, hook=SMOKE, step=Step(When.BEFORE, 1), attempt=1, ok=True, detail="12 checks"),
        "hook smoke succeeded: 12 checks",
    ),
    (
        events.HookEnded(at=NOW, hook=SMOKE, step=Step(When.START), attempt=1, ok=False, detail="busy", again=True),
        "hook smoke failed: busy; it is called again",
    ),
    (events.Promoted(at=NOW), "promoted: the candidate has everybody and is stable now"),
    (
        events.RollbackBegun(at=NOW, cause=Cause(CauseKind.ABORTED, BOB), then=Phase.ROLLED_BACK),
        "back to stable: aborted by bob",
    ),
    (
        events.RollbackBegun(at=NOW, cause=Cause(CauseKind.ABORTED, BOB), then=Phase.ROLLED_BACK, stay=True),
        "back to stable: aborted by bob; stable has no ready instance, so traffic stays until it has one",
    ),
    (
        events.Closed(at=NOW, phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.ABORTED, BOB)),
        "rolled back: aborted by bob",
    ),
    (
        events.DriftCorrected(at=NOW, detail="no stamp of ours"),
        "somebody else had changed the route; it was put back: no stamp of ours",
    ),
    (events.MeshFailing(at=NOW, detail="503"), "the mesh cannot be reached; traffic stays as it is: 503"),
    (events.MeshRecovered(at=NOW), "the mesh can be reached again"),
    (
        events.HistoryLost(at=NOW, detail="event 9", live_weight=5),
        "the database lost commits that the route shows (candidate at 5 there): event 9",
    ),
]


@pytest.mark.parametrize(("event", "sentence"), HISTORY)
def test_each_event_is_a_line_of_history(event, sentence):
    assert plain(line(event, PLAN)) == plain(sentence)


def test_what_depends_on_where_it_lives():
    clone = replace(PLAN, mode=Mode.CLONE, home=Promotion.NONE)
    assert line(events.Started(at=NOW, stable=None), clone) == "its turn came: what runs here now is looked for"
    assert "its owners are to have their own workload run the candidate" in line(events.HomeBegun(at=NOW), clone)
    ready = line(events.CandidateReady(at=NOW, share=25), clone)
    assert ready == "the candidate is ready, for 25 % of the traffic, and the proxies know where it is"


def test_no_event_is_without_a_line():
    assert {type(event) for event, _ in HISTORY} == set(events.EVENTS)


def test_retries_and_rollbacks_name_the_release_they_are_about():
    created = HISTORY[0][0]
    assert isinstance(created, events.Created)
    again = replace(created, retry_of=ReleaseId("rel_00"), urgent=False)
    assert line(again, PLAN) == "alice asked for 1.4.2 again (retry of rel_00); 4 stages"
    back = replace(created, rolls_back=ReleaseId("rel_00"), urgent=False)
    assert line(back, PLAN) == "alice asked to go back to 1.4.2 (rolls back rel_00); 4 stages"


def test_the_headline_of_a_release():
    assert headline(release()) == "checkout 1.4.1 -> 1.4.2 · prod-eu · canary 5% (2/4) · alice · #412"
    assert headline(release(phase=Phase.QUEUED, bound=None)) == "checkout 1.4.2 · prod-eu · queued · alice · #412"


def test_the_outcome_of_a_release():
    assert outcome(release()) == "canary 5% (2/4)"
    ended = release(phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.GATE_FAILED, judgement=ERRORS))
    assert plain(outcome(ended)).startswith("rolled back: errors 3.1 times stable's")


def message(event):
    return Message(ReleaseId("rel_01JD"), event.seq if hasattr(event, "seq") else 9, "topic", event)


def test_a_message_while_it_bakes():
    passing = replace(ERRORS, verdict=Verdict.PASS, ratio=1.02, interval=(0.6, 1.7))
    baking = release(verdicts={passing.gate: passing})
    event = events.TrafficConfirmed(at=NOW, dseq=7, level=Level.PROBED, proxies=3)
    assert plain(text(message(event), baking, "https://d/v1/releases/rel_01JD")).splitlines() == [
        "checkout 1.4.1 -> 1.4.2 · prod-eu · canary 5% (2/4) · alice · #412",
        "traffic is proven by requests of our own (3 of them)",
        "[#.........] 5 % confirmed",
        "errors 1.02x stable (0.6-1.7) ok",
        "https://d/v1/releases/rel_01JD",
    ]


def test_a_message_when_it_is_over_has_no_bar():
    ended = release(phase=Phase.ROLLED_BACK)
    event = events.Closed(at=NOW, phase=Phase.ROLLED_BACK, cause=Cause(CauseKind.GATE_FAILED, judgement=ERRORS))
    assert plain(text(message(event), ended)).splitlines() == [
        "checkout 1.4.1 -> 1.4.2 · prod-eu · rolled back · alice · #412",
        "ROLLED BACK: errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950",
    ]
    assert plain(summary(message(event), ended)) == (
        "#412 checkout: ROLLED BACK: errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950"
    )


def test_a_message_that_calls_for_people_says_whom():
    event = events.HoldPlaced(at=NOW, hold=Hold(HoldKind.APPROVAL, NOW))
    assert summary(message(event), release()) == (
        "#412 checkout: NEEDS APPROVAL: canary 25% (3/4) needs 1 of sre, not alice, who started it"
    )


def test_the_bar_shows_what_is_not_proven_yet():
    assert plain(bar(release(confirmed=5))) == "[#.........] 5 % not yet confirmed"
    assert plain(bar(release(phase=Phase.PROMOTING))) == "[##########] 100 % confirmed"
    assert plain(bar(release(phase=Phase.ROLLING_BACK, level=Level.WRITTEN))) == "[..........] 0 % written"
