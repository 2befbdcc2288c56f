"""One line of a release's history for each event."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from delivery.model import event as events
from delivery.model.event import Event, Level, Phase
from delivery.model.place import Mode, Promotion
from delivery.model.plan import Plan
from delivery.wording import hook
from delivery.wording.cause import because
from delivery.wording.hold import what
from delivery.wording.traffic import describe, place
from delivery.wording.units import counted, duration, number
from delivery.wording.verdict import WORDS, finding

PHASES = {
    Phase.QUEUED: "queued",
    Phase.PREPARING: "preparing",
    Phase.SHIFTING: "progressing",
    Phase.BAKING: "progressing",
    Phase.PROMOTING: "promoting",
    Phase.ROLLING_BACK: "rolling back",
    Phase.PROMOTED: "promoted",
    Phase.ROLLED_BACK: "rolled back",
    Phase.WITHDRAWN: "withdrawn",
    Phase.CANCELLED: "cancelled",
    Phase.SUPERSEDED: "superseded",
    Phase.FAILED_TO_START: "failed to start",
}
LEVELS = {
    Level.WRITTEN: "written, not yet seen at the proxies",
    Level.SETTLED: "taken over by the proxies' control plane",
    Level.PROBED: "proven by requests of our own",
    Level.ACKED: "acknowledged by the proxies",
}
_WHY = {
    "baked": "its bake is over and no gate failed",
    "passed": "every gate passed early",
    "low_traffic": "its deadline is over; too few requests to judge, and the service says to go on",
    "waived": "somebody decided to go on without more measurements",
    "first_version": "the first version: nothing to compare with",
}


def line(event: Event, plan: Plan) -> str:
    """The event as a sentence without its time. Stages are named by the release's own plan."""
    return _LINES[type(event)](event, plan)


def _reason(reason: str) -> str:
    return f": {reason}" if reason else ""


def _created(event: events.Created, plan: Plan) -> str:
    text = f"{event.candidate.version} was asked for by {event.actor}"
    if event.rolls_back:
        text = f"{event.actor} asked to go back to {event.candidate.version} (rolls back {event.rolls_back})"
    elif event.retry_of:
        text = f"{event.actor} asked for {event.candidate.version} again (retry of {event.retry_of})"
    return f"{text}{', urgent' if event.urgent else ''}; {counted(len(plan.stages), 'stage')}"


def _started(event: events.Started, plan: Plan) -> str:
    if event.stable is None and plan.mode is not None:
        return "its turn came: what runs here now is looked for"
    if event.stable is None:
        return "its turn came: the first version here, nothing is stable yet"
    return f"its turn came: it is compared with stable {event.stable.version}"


def _found(event: events.StableFound, plan: Plan) -> str:
    if event.stable is None:
        return "nothing runs here now: the first version, with nothing to compare it with"
    return f"{event.stable.version} runs here now: that is stable"


def _ready(event: events.CandidateReady, plan: Plan) -> str:
    share = "" if event.share is None else f", for {event.share} % of the traffic,"
    return f"the candidate is ready{share} and the proxies know where it is"


def _entered(event: events.StageEntered, plan: Plan) -> str:
    if plan.mode is Mode.OBSERVE:
        return "it was rolled out by somebody else: it is measured, and nothing is moved"
    wanted = plan.stages[event.stage].traffic
    alone = "; there is no copy of stable to compare with" if wanted.baseline and not event.compared else ""
    seen = replace(wanted, baseline=wanted.baseline if event.compared else None)
    return f"{place(event.stage, plan.stages)}: the candidate gets {describe(seen)}{alone}"


def _copy_ready(event: events.BaselineReady, plan: Plan) -> str:
    return f"the copy of stable is ready for {event.share} % of the traffic"


def _copy_lost(event: events.BaselineLost, plan: Plan) -> str:
    share = ", stable has its share" if event.had_share else ""
    return f"the copy of stable does not answer any more{share}{_reason(event.detail)}"


def _confirmed(event: events.TrafficConfirmed, plan: Plan) -> str:
    proxies = f" ({number(event.proxies)} of them)" if event.proxies else ""
    return f"traffic is {LEVELS[event.level]}{proxies}"


def _verdict(event: events.VerdictChanged, plan: Plan) -> str:
    judgement = event.judgement
    report = "" if judgement.blocking else ", report only"
    return f"{WORDS[judgement.verdict]}{report}: {finding(judgement)}"


def _approved(event: events.Approved, plan: Plan) -> str:
    return f"{event.actor} approved {place(event.stage, plan.stages)}{_via(event.via)}{_reason(event.reason)}"


def _rejected(event: events.Rejected, plan: Plan) -> str:
    return f"{event.actor} rejected {place(event.stage, plan.stages)}{_via(event.via)}{_reason(event.reason)}"


def _via(via: str) -> str:
    return f" (by {via})" if via else ""


def _overridden(event: events.OverrideApproved, plan: Plan) -> str:
    return f"{event.actor} agrees to lift {event.kind.value}{_via(event.via)}{_reason(event.reason)}"


def _held(event: events.HoldPlaced, plan: Plan) -> str:
    return f"held: {what(event.hold)}"


def _lifted(event: events.HoldLifted, plan: Plan) -> str:
    who = f"lifted by {event.by}" if event.by else "over"
    return f"hold {event.kind.value} {who}{_reason(event.reason)}"


def _passed(event: events.StagePassed, plan: Plan) -> str:
    seen = f"after {duration(event.baked)} and {counted(event.requests, 'candidate request')}"
    why = "; ".join((_WHY.get(event.why, event.why), *map(finding, event.judgements)))
    return f"{place(event.stage, plan.stages)} passed {seen}: {why}"


def _skipped(event: events.StageSkipped, plan: Plan) -> str:
    return f"{place(event.stage, plan.stages)} skipped by {event.actor}{_reason(event.reason)}"


def _promotion(event: events.PromotionBegun, plan: Plan) -> str:
    if plan.mode is Mode.OBSERVE:
        return f"nothing speaks against it: {because(event.cause)}"
    return f"the candidate gets everybody: {because(event.cause)}"


def _home_begun(event: events.HomeBegun, plan: Plan) -> str:
    if plan.home is Promotion.NONE:
        return "our copy has everybody: now its owners are to have their own workload run the candidate"
    return "our copy has everybody: its owners' own workload is being made to run the candidate"


def _home_entered(event: events.HomeEntered, plan: Plan) -> str:
    return "its owners' own workload runs the candidate and gets everybody; our copy goes"


def _home_restored(event: events.HomeRestored, plan: Plan) -> str:
    return "its owners' own workload runs stable again, and nothing of the candidate"


def _promoted(event: events.Promoted, plan: Plan) -> str:
    if plan.mode is Mode.OBSERVE:
        return "it is what is stable from now on; we moved nothing"
    return "promoted: the candidate has everybody and is stable now"


def _rollback(event: events.RollbackBegun, plan: Plan) -> str:
    wait = "; stable has no ready instance, so traffic stays until it has one" if event.stay else ""
    return f"back to stable: {because(event.cause)}{wait}"


def _closed(event: events.Closed, plan: Plan) -> str:
    return f"{PHASES[event.phase]}: {because(event.cause)}{moved_nothing(plan)}"


def moved_nothing(plan: Plan) -> str:
    """What has to be said where a release that was only observed does not end well; nothing for any other."""
    return "; we moved nothing: it still runs, until somebody rolls it back" if plan.mode is Mode.OBSERVE else ""


def _drift(event: events.DriftCorrected, plan: Plan) -> str:
    return f"somebody else had changed the route; it was put back: {event.detail}"


def _failing(event: events.MeshFailing, plan: Plan) -> str:
    return f"the mesh cannot be reached; traffic stays as it is: {event.detail}"


def _recovered(event: events.MeshRecovered, plan: Plan) -> str:
    return "the mesh can be reached again"


def _lost(event: events.HistoryLost, plan: Plan) -> str:
    return f"the database lost commits that the route shows (candidate at {event.live_weight} there): {event.detail}"


def _hook_begun(event: events.HookBegun, plan: Plan) -> str:
    return f"hook {event.hook} is called {hook.point(event.step, plan.stages)}{hook.attempt(event.attempt)}"


def _hook_ended(event: events.HookEnded, plan: Plan) -> str:
    how = "succeeded" if event.ok else "failed"
    told = f"hook {event.hook} {how}{hook.attempt(event.attempt)}{_reason(event.detail)}"
    return f"{told}; it is called again" if event.again else told


_LINES: Mapping[type[Event], Callable[[Any, Plan], str]] = {
    events.Created: _created,
    events.Started: _started,
    events.CandidateReady: _ready,
    events.StageEntered: _entered,
    events.TrafficConfirmed: _confirmed,
    events.VerdictChanged: _verdict,
    events.Approved: _approved,
    events.Rejected: _rejected,
    events.HoldPlaced: _held,
    events.OverrideApproved: _overridden,
    events.HoldLifted: _lifted,
    events.StagePassed: _passed,
    events.StageSkipped: _skipped,
    events.PromotionBegun: _promotion,
    events.Promoted: _promoted,
    events.RollbackBegun: _rollback,
    events.Closed: _closed,
    events.DriftCorrected: _drift,
    events.MeshFailing: _failing,
    events.MeshRecovered: _recovered,
    events.HistoryLost: _lost,
    events.StableFound: _found,
    events.HomeBegun: _home_begun,
    events.HomeEntered: _home_entered,
    events.HomeRestored: _home_restored,
    events.HookBegun: _hook_begun,
    events.HookEnded: _hook_ended,
    events.BaselineReady: _copy_ready,
    events.BaselineLost: _copy_lost,
}
