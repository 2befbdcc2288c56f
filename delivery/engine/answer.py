"""What a sender is told, and told again when the same delivery comes a second time."""

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.machine.refusal import Refusal
from delivery.model.frozen import replace
from delivery.model.ids import ReleaseId, TargetId
from delivery.model.notice import Notice


@dataclass(frozen=True, slots=True)
class Arrival:
    """A notice with the bytes that it was read from."""

    notice: Notice
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is release, signal or no_op; accepted for what is only kept, for a person to look at; refused where
    `refusal` says why; conflict for a key that was used before with another body; unknown where the notice names a
    service, cluster or release that is not there.

    `release` is the first of `releases` (one for each target that the notice names). `repeated` marks a second
    delivery. `reason` is a code, `text` the sentence to it. `target` is whose answer it is; `others` are those that say
    something else, where several targets were named.
    """

    outcome: str
    releases: tuple[ReleaseId, ...] = ()
    reason: str = ""
    text: str = ""
    refusal: Refusal | None = None
    repeated: bool = False
    target: TargetId | None = None
    others: tuple["Answer", ...] = ()

    @property
    def release(self) -> ReleaseId | None:
        return self.releases[0] if self.releases else None

    def plain(self) -> Mapping[str, object]:
        """What is stored with the delivery. A refusal is stored by its parts."""
        document: dict[str, object] = {
            "outcome": self.outcome,
            "releases": list(self.releases),
            "reason": self.reason,
            "text": self.text,
        }
        if self.refusal is not None:
            document["refusal"] = {
                "kind": self.refusal.kind,
                "text": self.refusal.text,
                "allowed": list(self.refusal.allowed),
            }
        return document

    @staticmethod
    def stored(document: Mapping[str, object]) -> "Answer":
        """The answer that was given before."""
        refusal = document.get("refusal")
        releases = document.get("releases")
        return Answer(
            outcome=str(document["outcome"]),
            releases=tuple(ReleaseId(str(release)) for release in releases) if isinstance(releases, list) else (),
            reason=str(document.get("reason", "")),
            text=str(document.get("text", "")),
            refusal=Refusal(str(refusal["kind"]), str(refusal["text"]), tuple(map(str, refusal["allowed"])))
            if isinstance(refusal, dict)
            else None,
            repeated=True,
        )


def unknown(reason: str, text: str) -> Answer:
    """The answer to a notice that names what is not there."""
    return Answer("unknown", reason=reason, text=text)


def _says(answer: Answer) -> tuple[str, str]:
    return answer.outcome, answer.reason


def merged(answers: list[Answer]) -> Answer:
    """One answer for a notice that named several targets: the weightiest outcome, and the releases that it came to.

    Whoever asked for all of them must learn where something else became of it: those answers stand beside it.
    """
    order = ("release", "signal", "refused", "accepted", "no_op", "unknown")
    first = min(answers, key=lambda answer: order.index(answer.outcome) if answer.outcome in order else len(order))
    releases = tuple(release for answer in answers if answer.outcome == first.outcome for release in answer.releases)
    repeated = all(answer.repeated for answer in answers)
    each = [part for answer in answers for part in (replace(answer, others=()), *answer.others)]
    others = tuple(part for part in each if part.target and _says(part) != _says(first))
    return replace(first, releases=releases, repeated=repeated, others=others)
