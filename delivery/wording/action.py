"""What people can do to a release: what it is called, and what it does. One text for chat and page."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """`title` is what a button says, `effect` what it will do, `done` what is said after it was taken."""

    title: str
    effect: str
    done: str


ACTIONS: Mapping[str, Action] = {
    "approve": Action(
        "Approve", "The next step is let in, once enough people agreed.", "Your approval is recorded."
    ),
    "reject": Action("Reject", "Everybody goes back to stable.", "Rejected: everybody goes back to stable."),
    "pause": Action(
        "Pause", "Exposure does not rise until somebody resumes. A failing gate still goes back.", "Paused."
    ),
    "resume": Action(
        "Resume", "Exposure may rise again, where nothing else holds it. A freeze takes a reason.", "Resumed."
    ),
    "abort": Action(
        "Abort", "Everybody goes back to stable, now.", "Aborted: everybody goes back to stable."
    ),
    "promote": Action(
        "Promote",
        "The stages that are left are skipped; everybody gets the candidate.",
        "The stages that were left are skipped.",
    ),
    "retry": Action("Retry", "The same version is released once more, as a new release.", "This is the new attempt."),
    "rollback": Action(
        "Roll back",
        "The version before is released again: everybody goes back to it.",
        "This release goes back to the version before.",
    ),
}  # fmt: skip
"""In the order in which they are shown."""
