"""Where a release is, as a sign: a word with a shape of its own. The colour only repeats it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookState
from delivery.model.release import Release
from delivery.model.verdict import Verdict
from delivery.wording.release import state
from delivery.wording.verdict import WORDS


@dataclass(frozen=True, slots=True)
class Badge:
    """`icon` names a shape of `icons.html`, `tone` a colour of the stylesheet."""

    icon: str
    tone: str
    text: str


_PHASES: Mapping[Phase, tuple[str, str]] = {
    Phase.QUEUED: ("clock", "calm"),
    Phase.PREPARING: ("dots", "calm"),
    Phase.SHIFTING: ("up", "live"),
    Phase.BAKING: ("up", "live"),
    Phase.PROMOTING: ("up", "live"),
    Phase.ROLLING_BACK: ("back", "bad"),
    Phase.PROMOTED: ("check", "good"),
    Phase.ROLLED_BACK: ("back", "bad"),
    Phase.WITHDRAWN: ("back", "calm"),
    Phase.CANCELLED: ("dash", "calm"),
    Phase.SUPERSEDED: ("dash", "calm"),
    Phase.FAILED_TO_START: ("cross", "bad"),
}
_HOLDS: Mapping[HoldKind, tuple[str, str, str]] = {
    HoldKind.QUARANTINED: ("warn", "bad", "quarantined"),
    HoldKind.HISTORY_LOST: ("warn", "bad", "history lost"),
    HoldKind.STOP: ("stop", "wait", "stopped"),
    HoldKind.FREEZE: ("frost", "wait", "frozen"),
    HoldKind.PAUSE: ("pause", "wait", "paused"),
    HoldKind.HOOK: ("warn", "bad", "a hook failed"),
    HoldKind.APPROVAL: ("person", "wait", "waits for approval"),
    HoldKind.NO_DATA: ("question", "wait", "no data"),
    HoldKind.LOW_TRAFFIC: ("question", "wait", "low traffic"),
    HoldKind.INCONCLUSIVE: ("question", "wait", "inconclusive"),
    HoldKind.SPLIT_MISMATCH: ("warn", "wait", "split mismatch"),
    HoldKind.DRIFT_STORM: ("warn", "wait", "drift storm"),
    HoldKind.STRAGGLERS: ("warn", "wait", "stragglers"),
    HoldKind.STABLE_UNREADY: ("warn", "bad", "stable unready"),
    HoldKind.CANDIDATE_UNREADY: ("warn", "wait", "candidate unready"),
    HoldKind.BASELINE_UNREADY: ("warn", "wait", "no copy of stable"),
}
"""Those that matter most come first."""
_VERDICTS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.PASS: ("check", "good"),
    Verdict.FAIL: ("cross", "bad"),
    Verdict.CONTINUE: ("dots", "calm"),
    Verdict.INCONCLUSIVE: ("question", "wait"),
    Verdict.NO_DATA: ("question", "wait"),
}
_STAGES: Mapping[str, tuple[str, str]] = {
    "pending": ("clock", "calm"),
    "shifting": ("up", "live"),
    "baking": ("up", "live"),
    "passed": ("check", "good"),
    "skipped": ("dash", "calm"),
    "failed": ("cross", "bad"),
    "stopped": ("back", "bad"),
    "not_reached": ("dash", "calm"),
}

_HOOKS: Mapping[HookState, tuple[str, str]] = {
    HookState.RUNNING: ("dots", "live"),
    HookState.AGAIN: ("dots", "wait"),
    HookState.PASSED: ("check", "good"),
    HookState.FAILED: ("cross", "bad"),
    HookState.WAIVED: ("dash", "wait"),
    HookState.LEFT: ("dash", "calm"),
}


def badges(release: Release, paused: str | None = None) -> tuple[Badge, ...]:
    """Where it is, then what holds it. `paused`: who took the routes in hand."""
    icon, tone = _PHASES[release.phase]
    return (Badge(icon, tone, state(release)), *_held(release, paused))


def _held(release: Release, paused: str | None) -> Iterator[Badge]:
    if release.phase.closed:
        return
    if paused is not None:
        yield Badge("stop", "bad", "routes in hand")
    if release.mesh_failing:
        yield Badge("warn", "bad", "mesh out of reach")
    for kind, (icon, tone, text) in _HOLDS.items():
        if release.held(kind) and not (paused is not None and kind is HoldKind.STOP):
            yield Badge(icon, tone, text)


def verdict(value: str) -> Badge:
    """Of a gate."""
    found = Verdict(value)
    icon, tone = _VERDICTS[found]
    return Badge(icon, tone, WORDS[found])


def stage(value: str) -> Badge:
    """Of a stage, by its state in the API."""
    icon, tone = _STAGES[value]
    return Badge(icon, tone, value.replace("_", " "))


def hook(state: HookState) -> Badge:
    """Of a hook's newest attempt."""
    icon, tone = _HOOKS[state]
    return Badge(icon, tone, state.value)
