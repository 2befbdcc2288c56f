"""The inbox's answer as HTTP."""

from api.problems import Problem
from api.schemas.common import AnswerOut
from api.views.common import ref
from delivery.engine.answer import Answer
from delivery.machine.refusal import FORBIDDEN, NEEDS_REASON, Refusal


def settled(answer: Answer, unknown: str) -> Answer:
    """The answer, where it is one; `unknown` is the problem for a name that is not there. Raises Problem."""
    if answer.outcome == "conflict":
        raise Problem("key-reused", answer.text, reason=answer.reason)
    if answer.outcome == "unknown":
        raise Problem(unknown, answer.text, reason=answer.reason)
    if answer.refusal is not None:
        raise refused(answer.refusal)
    return answer


def refused(refusal: Refusal) -> Problem:
    kind = {FORBIDDEN: "forbidden", NEEDS_REASON: "needs-reason"}.get(refusal.kind, "not-allowed-now")
    return Problem(kind, refusal.text, allowed=list(refusal.allowed))


def shown(base: str, answer: Answer) -> AnswerOut:
    return AnswerOut.model_validate(
        {
            "outcome": answer.outcome,
            "release": ref(base, answer.release) if answer.release else None,
            "releases": [ref(base, release) for release in answer.releases],
            "reason": answer.reason,
            "text": answer.text,
            "others": [_other(base, one) for one in answer.others],
        }
    )


def _other(base: str, answer: Answer) -> dict[str, object]:
    return {
        "target": answer.target,
        "outcome": answer.outcome,
        "reason": answer.reason,
        "text": answer.text,
        "release": ref(base, answer.release) if answer.release else None,
    }
