"""Why a release ended, or is going back."""

from delivery.model.event import Cause, CauseKind
from delivery.wording.units import duration
from delivery.wording.verdict import finding

_TEXT = {
    CauseKind.COMPLETED: "every stage passed",
    CauseKind.FIRST_VERSION: "the first version here: there was nothing to compare it with",
    CauseKind.ROLLBACK: "the rollback of a finished release",
    CauseKind.PROMOTED_BY_PERSON: "promoted",
    CauseKind.GATE_FAILED: "a gate failed",
    CauseKind.ABORTED: "aborted",
    CauseKind.REJECTED: "rejected",
    CauseKind.WITHDRAWN: "over without promotion, as planned",
    CauseKind.ALERT: "an alert that the service names fired",
    CauseKind.APPROVAL_EXPIRED: "nobody approved in time",
    CauseKind.NO_DATA: "no measurements for as long as the service allows",
    CauseKind.LOW_TRAFFIC: "too few requests to judge for as long as the service allows",
    CauseKind.INCONCLUSIVE: "the gates came to no verdict for as long as the service allows",
    CauseKind.SUPERSEDED: "a newer version took its place",
    CauseKind.STABLE_AGAIN: "the stable version was asked for again",
    CauseKind.CANDIDATE_MISSING: "the candidate did not appear",
    CauseKind.CANDIDATE_FAILING: "the candidate cannot run",
    CauseKind.STABLE_MISSING: "what runs now could not be found",
    CauseKind.MESH_REFUSED: "the mesh refused the configuration",
    CauseKind.HOOK_FAILED: "a hook failed",
    CauseKind.QUARANTINED: "the release could not be worked on and was taken out of service",
}


def because(cause: Cause) -> str:
    """A clause without a full stop: `aborted by alice: checkout is slow`."""
    if cause.judgement is not None:
        after = cause.judgement.lasted
        return finding(cause.judgement) + (f"; found after {duration(after)}" if after is not None else "")
    text = _TEXT[cause.kind]
    if cause.actor:
        text += f" by {cause.actor}"
    if cause.other:
        text += f" ({cause.other})"
    return f"{text}: {cause.reason}" if cause.reason else text
