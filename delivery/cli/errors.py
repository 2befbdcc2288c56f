"""What goes wrong at the command line, and the exit codes that scripts rely on."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """Exit codes of every command; docs/cli.md explains them."""

    OK = 0
    FAILED = 1  # refused, not found, not reachable, a mistake in a file, or nothing brings the version
    WENT_BACK = 2  # the release that was waited for ended without being promoted
    NEEDS_PERSON = 3  # it waits for somebody, or the time to wait is over
    USAGE = 64  # not 2, which says that a release went back
    INTERRUPTED = 130


class CommandError(Exception):
    """Ends the command. `cause` first, then `hints`: what to do about it."""

    def __init__(self, cause: str, *hints: str, code: Code = Code.FAILED) -> None:
        super().__init__(cause)
        self.cause = cause
        self.hints = hints
        self.code = code

    def __str__(self) -> str:
        return "\n".join([f"error: {self.cause}", *(f"  {hint}" for hint in self.hints)])


class Mistakes(CommandError):
    """In files: how many, and each with its place."""

    def __init__(self, wrong: Sequence[str]) -> None:
        super().__init__("1 mistake" if len(wrong) == 1 else f"{len(wrong)} mistakes", *wrong)


class Refusal(CommandError):
    """The API refused: `problem` is its document, `status` its status."""

    def __init__(self, status: int, problem: Mapping[str, Any], *hints: str) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"the API answered {status}"), *hints)
        self.status = status
        self.problem = problem

    @property
    def mistakes(self) -> list[Mapping[str, Any]]:
        """What is wrong with a document that was sent, and where."""
        return list(self.problem.get("mistakes") or ())


_HINTS = {
    401: "name a token with --token or DELIVERY_TOKEN; an admin hands them out: `delivery token create`",
    403: "`delivery doctor` says which role this token has",
    412: "it changed since it was read: look at it again, then repeat the command",
    503: "it is worth trying again in a moment; `delivery doctor` says what is missing",
}

_UNSIGNED = ("urn:delivery:problem:unsigned", "urn:delivery:problem:stale-signature")
_SECRETS = "the secret has to be one of the source's in the server's configuration, such as [sources.ci]"


def of_problem(status: int, problem: Mapping[str, Any]) -> Refusal:
    """A problem+json answer as the error of a command."""
    if "allowed" in problem:
        return Refusal(status, problem, f"allowed now: {', '.join(problem['allowed']) or 'nothing'}")
    if problem.get("type") in _UNSIGNED:
        return Refusal(status, problem, _SECRETS)
    return Refusal(status, problem, *([_HINTS[status]] if status in _HINTS else []))


def place(mistake: Mapping[str, Any], file: str) -> str:
    """A mistake as compilers write it, so that editors jump to it: `checkout.yaml:4: gates.errors is unknown`."""
    where = ":".join(str(part) for part in (file, mistake.get("line")) if part)
    text = " ".join(str(part) for part in (mistake.get("place"), mistake.get("problem")) if part)
    expected = mistake.get("expected")
    return f"{where}: {text}; expected {expected}" if expected else f"{where}: {text}"
