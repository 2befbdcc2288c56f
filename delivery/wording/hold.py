"""Holds in words: why exposure may not rise, and who can change that."""

from delivery.model.hold import Hold, HoldKind
from delivery.model.ids import Micros
from delivery.model.plan import Approval
from delivery.model.release import Release
from delivery.wording.units import listed, moment

_WHAT = {
    HoldKind.PAUSE: "paused",
    HoldKind.FREEZE: "a freeze window is open",
    HoldKind.STOP: "raises are stopped",
    HoldKind.APPROVAL: "it waits for approval",
    HoldKind.LOW_TRAFFIC: "too few requests to judge",
    HoldKind.INCONCLUSIVE: "the gates came to no verdict in time",
    HoldKind.NO_DATA: "there are no measurements",
    HoldKind.SPLIT_MISMATCH: "the proxies split traffic otherwise than they should",
    HoldKind.DRIFT_STORM: "somebody else keeps changing the route",
    HoldKind.STRAGGLERS: "some proxies do not confirm the traffic",
    HoldKind.STABLE_UNREADY: "stable has no ready instance",
    HoldKind.CANDIDATE_UNREADY: "the candidate was ready and is not any more",
    HoldKind.BASELINE_UNREADY: "the copy of stable that it is compared with is not ready",
    HoldKind.HOOK: "a hook failed",
    HoldKind.HISTORY_LOST: "the database lost commits that the route still shows",
    HoldKind.QUARANTINED: "the release could not be worked on and was taken out of service",
}
_ENDS = {
    HoldKind.PAUSE: "an operator can resume it",
    HoldKind.FREEZE: "it ends with the window, or an operator resumes it naming freeze, with a reason",
    HoldKind.STOP: "an operator can lift the stop, or whoever has the routes in hand gives them back",
    HoldKind.LOW_TRAFFIC: "it ends with more requests, or an operator resumes it naming low_traffic",
    HoldKind.INCONCLUSIVE: "it ends with a verdict, or an operator resumes it naming inconclusive",
    HoldKind.NO_DATA: "it ends when measurements come, or an operator resumes it naming no_data",
    HoldKind.SPLIT_MISMATCH: "it ends when the split is right, or an operator resumes it naming split_mismatch",
    HoldKind.DRIFT_STORM: "it ends when the changes end, or an operator resumes it naming drift_storm",
    HoldKind.STRAGGLERS: "it ends when they confirm, or an operator resumes it naming stragglers",
    HoldKind.STABLE_UNREADY: "it ends with a ready stable, or an operator resumes naming stable_unready, with a reason",
    HoldKind.CANDIDATE_UNREADY: "it ends when the candidate is ready again",
    HoldKind.BASELINE_UNREADY: "a ready copy ends it, or an operator resumes naming baseline_unready, with a reason",
    HoldKind.HOOK: "an operator resumes it naming hook, with a reason, to go on; to call it again: abort, then retry",
    HoldKind.HISTORY_LOST: "an admin decides: resume it naming history_lost, or abort it",
    HoldKind.QUARANTINED: "an admin can resume it naming quarantined; anybody who may abort can abort it",
}

NEVER_OVERRIDDEN = frozenset(
    {HoldKind.STOP, HoldKind.APPROVAL, HoldKind.CANDIDATE_UNREADY, HoldKind.HISTORY_LOST, HoldKind.QUARANTINED}
)
"""What nobody lifts by name, or an admin alone: the plan's `override` is not about it."""


def what(hold: Hold) -> str:
    """`paused by alice: lunch`, with its end where it has one."""
    text = _WHAT[hold.kind]
    if hold.by:
        text += f" by {hold.by}"
    if hold.detail:
        text += f": {hold.detail}"
    return f"{text} (until {moment(hold.until)})" if hold.until is not None else text


def ends(kind: HoldKind) -> str:
    """Who or what ends it. An approval's end depends on the approval: see `wanted`."""
    return _ENDS[kind]


def overriding(release: Release, hold: Hold, now: Micros) -> str:
    """`to lift freeze needs 1 more of sre, not alice, who started it`; empty where nobody is asked to agree."""
    override = release.plan.override
    if override is None or hold.kind in NEVER_OVERRIDDEN:
        return ""
    words = (word for word in release.overrides or () if word.kind is hold.kind)
    agreed = tuple(word.actor for word in words if word.until is None or word.until > now)
    return f"to lift {hold.kind.value} {wanted(override, agreed, release.actor)}"


def wanted(approval: Approval, votes: tuple[str, ...], initiator: str) -> str:
    """`needs 1 more of sre, not alice, who started it`."""
    missing = max(approval.count - len(votes), 0)
    people = f"of {approval.group}" if approval.group else ("approver" if missing == 1 else "approvers")
    text = f"needs {missing}{' more' if votes else ''} {people}, not {initiator}, who started it"
    return f"{text}; {listed(votes)} approved" if votes else text
