"""Why a release is where it is, what it waits for, until when, and who can change it."""

from dataclasses import dataclass, replace
from typing import Protocol

from delivery.model.context import Context
from delivery.model.event import Phase
from delivery.model.hold import HoldKind
from delivery.model.hook import HookState, When
from delivery.model.ids import Micros
from delivery.model.place import Mode, Promotion
from delivery.model.release import Home, Release
from delivery.model.verdict import Verdict
from delivery.wording import hook
from delivery.wording.cause import because
from delivery.wording.chat import asks, guarded
from delivery.wording.history import PHASES, moved_nothing
from delivery.wording.hold import ends, overriding, what
from delivery.wording.traffic import describe, place
from delivery.wording.units import capital, duration, moment, number
from delivery.wording.verdict import brief, finding

_PEOPLE = {
    HoldKind.PAUSE: "somebody to resume it",
    HoldKind.STOP: "somebody to lift the stop",
    HoldKind.HISTORY_LOST: "an admin's decision",
    HoldKind.QUARANTINED: "an admin's decision",
}


class Wake(Protocol):
    """When the machine looks again, and what it waits for; the machine's own value fits."""

    @property
    def at(self) -> Micros | None: ...

    @property
    def why(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Explanation:
    """`until` is None where only an input ends the wait."""

    why: tuple[str, ...]
    waits_for: tuple[str, ...]
    until: Micros | None
    who: tuple[str, ...]

    def text(self) -> str:
        """All of it as sentences."""
        waits = [f"It waits for {one}." for one in self.waits_for]
        if self.until is not None:
            waits.append(f"It is looked at again by {moment(self.until)} at the latest.")
        return " ".join([*(f"{capital(one)}." for one in self.why), *waits, *(f"{capital(one)}." for one in self.who)])


@dataclass(frozen=True, slots=True)
class Near:
    """What is known beside the release. `paused`: who took the routes of the service in hand, and why. `beside`: what a
    deployer beside us says of itself. `found`: what the target waits for, as was found when it was last looked at.
    `taken_back`: its version came to a bad end here since.
    """

    paused: str | None = None
    beside: str = ""
    found: str = ""
    taken_back: bool = False


NOTHING_NEAR = Near()


def explain(release: Release, context: Context, wake: Wake, near: Near = NOTHING_NEAR) -> Explanation:
    """For people who ask "why is it not going on?". Closed releases wait for nothing."""
    if release.phase.closed:
        return Explanation((_closed(release),), (), None, _after(release, near))
    if near.paused is not None:
        return _in_hand(release, near.paused, context.now)
    return Explanation(
        why=(
            *_standing(release),
            *hook.standing(release),
            *_mesh(release),
            *_holds(release),
            *((near.beside,) if near.beside else ()),
        ),
        waits_for=_waits_for(release, wake, near.found),
        until=wake.at if wake.at is not None and wake.at > context.now else None,
        who=_who(release, context.now),
    )


def _waits_for(release: Release, wake: Wake, found: str) -> tuple[str, ...]:
    """People first: what they have to do does not happen at the next look. What was found says more of the same wait;
    what was found of another is over.
    """
    if release.phase is Phase.ROLLING_BACK:
        return (wake.why,)
    people = [_PEOPLE[hold.kind] for hold in release.holds if hold.kind in _PEOPLE]
    if release.held(HoldKind.APPROVAL):
        people.append(f"an approval: {asks(release)}")
    if release.phase is Phase.PREPARING and found.startswith(f"{wake.why}: "):
        return (*people, found)
    return tuple(people) or ((wake.why,) if wake.why else ())


def _in_hand(release: Release, paused: str, now: Micros) -> Explanation:
    """Nothing else matters while that lasts: not even a revert is written, and nobody may believe that it were."""
    held = replace(release, holds=tuple(hold for hold in release.holds if hold.kind is not HoldKind.STOP))
    return Explanation(
        why=(f"nothing is written to its routes, reverts neither: {paused}", *_standing(held), *_holds(held)),
        waits_for=("its routes to be given back",),
        until=None,
        who=(
            "a resume of the whole service gives the routes back, or whoever paused them in the mesh",
            *_who(held, now),
        ),
    )


def _mesh(release: Release) -> tuple[str, ...]:
    why = f": {release.mesh_trouble}" if release.mesh_trouble else ""
    return (f"the mesh cannot be reached; traffic stays as it is{why}",) if release.mesh_failing else ()


def _closed(release: Release) -> str:
    cause = because(release.cause) if release.cause else "no cause is recorded"
    end = release.finished_at or release.at
    took = duration(end - release.created_at)
    rest = "" if release.phase is Phase.PROMOTED else moved_nothing(release.plan)
    ended = PHASES[release.phase] if release.phase is Phase.FAILED_TO_START else f"was {PHASES[release.phase]}"
    return f"{release.candidate.version} {ended} at {moment(end)}, after {took}: {cause}{rest}"


def _after(release: Release, near: Near) -> tuple[str, ...]:
    if release.phase is Phase.PROMOTED and near.taken_back:
        return ("its version was taken back since: an operator can retry it, which is a new release",)
    if release.phase is Phase.PROMOTED:
        return ("an operator can roll it back, which is a new release",)
    return ("an operator can retry it, which is a new release",)


def _standing(release: Release) -> tuple[str, ...]:
    match release.phase:
        case Phase.QUEUED:
            return ("it is queued: another release of this service runs in this cluster",)
        case Phase.PREPARING:
            return (_preparing(release),)
        case Phase.PROMOTING:
            return _promoting(release)
        case Phase.ROLLING_BACK:
            return _going_back(release)
        case _:
            return _in_stage(release)


def _preparing(release: Release) -> str:
    hooks = [run for run in release.hooks if run.step.when is When.START]
    if any(run.state in (HookState.RUNNING, HookState.AGAIN, HookState.FAILED) for run in hooks):
        return "nothing of the candidate is started before the hooks at the start have succeeded"
    if release.held(HoldKind.APPROVAL):
        return "the candidate runs; no user is sent to it before people have agreed"
    return "its workload is being prepared; no user is sent to the candidate"


def _promoting(release: Release) -> tuple[str, ...]:
    """Both may answer while the owners' own workload goes over: nobody may believe otherwise."""
    candidate, own = release.candidate.version, "its owners' own workload"
    if release.home is Home.ENTERED:
        return (f"{own} runs {candidate} and everybody is being sent there, away from our copy",)
    if release.home is Home.BEGUN and release.plan.home is Promotion.NONE:
        return (f"our copy of {candidate} answers everybody, until people have {own} run {candidate} too",)
    if release.home is Home.BEGUN:
        return (f"our copy of {candidate} answers everybody while {own} is made to run {candidate} too",)
    return ("every stage is behind it and everybody is being sent to the candidate",)


def _going_back(release: Release) -> tuple[str, ...]:
    going = f"it is going back to stable: {because(release.cause) if release.cause else 'cause unknown'}"
    if release.stay:
        return (going, "stable has no ready instance: traffic stays where it is until it has one")
    stable = release.bound.stable if release.bound else None
    if release.home is not None and stable is not None:
        both = f"{release.candidate.version} as well as {stable.version}"
        does = "people have to do that" if release.plan.home is Promotion.NONE else "it is being made to"
        return (going, f"its owners' own workload may run {both} until it is back at {stable.version}: {does}")
    return (going,)


def _in_stage(release: Release) -> tuple[str, ...]:
    stage = release.plan.stages[release.stage]
    name = place(release.stage, release.plan.stages)
    given = f"the candidate gets {describe(stage.traffic)}"
    if release.plan.mode is Mode.OBSERVE:
        given = "somebody else rolled it out, and nothing is moved"
    sentences = [f"{name} was entered at {moment(release.entered_at)}: {given}"]
    if release.phase is Phase.SHIFTING:
        sentences.append("the proxies have not all proven that they do so, and until they have nothing is measured")
    else:
        if stage.bake or stage.min_requests:
            bake, requests = duration(stage.bake), number(stage.min_requests)
            sentences.append(f"it is to be measured for {bake} and at least {requests} requests")
        sentences += [
            finding(one) if one.ratio is not None or one.verdict is Verdict.NO_DATA else brief(one)
            for _, one in sorted(release.verdicts.items())
        ]
    return tuple(sentences)


def _holds(release: Release) -> tuple[str, ...]:
    return tuple(f"it may not rise: {what(hold)}" for hold in release.holds)


def _who(release: Release, now: Micros) -> tuple[str, ...]:
    if release.phase is Phase.ROLLING_BACK:
        return ("nobody can stop a revert; a later retry is a new release",)
    kinds = [hold.kind for hold in release.holds if hold.kind is not HoldKind.APPROVAL]
    people = [ends(kind) for kind in dict.fromkeys(kinds)]
    people += [asked for hold in release.holds if (asked := overriding(release, hold, now))]
    if (release.phase is Phase.BAKING or release.held(HoldKind.APPROVAL)) and guarded(release):
        people.append(asks(release))
    return (*people, "an approver can pause or abort it, an operator can promote it past the stages that are left")
