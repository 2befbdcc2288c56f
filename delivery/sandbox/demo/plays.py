"""What is played: five releases, and what each has to come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from delivery.sandbox.demo.api import Json
from delivery.sandbox.demo.counts import Counted

SERVICE = "checkout"
FIRST = "1.4.1"
STARTS = "alice"
APPROVES = "bob"
GOOD_FAILS_EVERY = 100
BAD_FAILS_EVERY = 10
"""Every version fails each 100th request, the bad one each 10th: counted, so that every run ends the same way."""
RATE = 300
"""Requests a second: with these the bad version has failed some ten requests within 5 s of its stage of 5 %."""
BETA = ("x-beta", "true", 25)
"""A quarter of the users sends this header."""
_FEW = 50


class Unexpected(Exception):
    """Something did not come out as it has to; the text says what was expected and what came."""


def expect(holds: bool, wanted: str, came: object) -> None:
    """Raises Unexpected."""
    if not holds:
        raise Unexpected(f"expected {wanted}; but {came}")


@dataclass(frozen=True, slots=True)
class Variant:
    """What the service measured of one version in one stage."""

    requests: int
    errors: int

    def __str__(self) -> str:
        return f"{100 * self.errors / max(1, self.requests):.1f} % of {self.requests}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One release after its end. `ticks` are its measurements. `before` is what the load had counted in it before real
    users could meet it. `refused` is what the one who started it was told when they tried to approve it.
    """

    release: Json
    ticks: Sequence[Json]
    counted: Counted
    before: Counted
    refused: str = ""

    @property
    def candidate(self) -> str:
        return str(self.release["to"]["version"])

    @property
    def stable(self) -> str:
        return str(self.release["from"]["version"])

    def stage(self, name: str) -> Json:
        """The stage whose name begins like this."""
        return next((one for one in self.release["stages"] if one["name"].startswith(name)), self.release["promotion"])

    def measured(self, name: str, side: str) -> Variant:
        """The candidate or stable in this stage."""
        number = self.release["stages"].index(self.stage(name))
        counts = [tick[side] for tick in self.ticks if tick["stage"] == number]
        return Variant(sum(one["requests"] for one in counts), sum(one["errors"] for one in counts))


@dataclass(frozen=True, slots=True)
class Asks:
    """It has to wait for an approval. `reason` is what the approver says, `preview` a header that reaches it."""

    reason: str
    preview: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Play:
    """`look` checks what is special about it, and says it in a few words."""

    title: str
    what: str
    file: str
    version: str
    state: str
    look: Callable[[Seen], str]
    asks: Asks | None = None


def look_good(seen: Seen) -> str:
    return f"{seen.release['exposure']['requests']} of its requests measured: no worse"


def look_bad(seen: Seen) -> str:
    cause, served = seen.release["cause"], seen.counted.of(seen.candidate)
    expect(cause["type"] == "gate_failed", "the gate to take it back", f"it went back because of {cause['text']}")
    expect(served.errors > 0, "users to have met the errors that took it back", "the load saw none")
    failed = [gate for stage in seen.release["stages"] for gate in stage["analysis"] if gate["verdict"] == "fail"]
    expect(bool(failed), "the verdict in its history", "there is none")
    low, high = failed[0]["interval"]
    times = f"errors {failed[0]['ratio']:.1f}x ({low:.1f} to {high:.0f})"
    return f"{times}, back in {seen.release['reverted_in']}; {served.users} users met one"


def look_dark(seen: Seen) -> str:
    mirrored = seen.measured("dark_launch", "candidate").requests
    expect(mirrored >= _FEW, f"at least {_FEW} requests to be mirrored", f"{mirrored} were")
    reached = seen.before.of(seen.candidate).requests
    expect(reached == 0, "no answer of the dark launch to reach a client", f"{reached} did")
    return f"{mirrored} mirrored, none of them reached a client"


def look_variants(seen: Seen) -> str:
    a, b = seen.measured("ab_test", "stable"), seen.measured("ab_test", "candidate")
    expect(min(a.requests, b.requests) >= _FEW, "both variants to be measured", f"a is {a}, b is {b}")
    return f"errors a {a}, b {b}; {_approved(seen, seen.release['promotion'])}"


def look_switched(seen: Seen) -> str:
    return _approved(seen, seen.stage("blue_green switch"))


def _approved(seen: Seen, stage: Json) -> str:
    people = [approval["actor"] for approval in stage["approvals"]]
    expect(people == [APPROVES], f"{APPROVES} to have approved it", f"this is who did: {people}")
    expect(bool(seen.refused), f"{STARTS}, who started it, to be refused as approver", "nobody was")
    return f"approved by {APPROVES}"


_BETA = Asks("both variants look alike", (BETA[0], BETA[1]))
_PREVIEW = Asks("tried the preview", ("x-delivery-preview", "candidate"))
PLAYS = (
    Play("canary", "a good version, step by step", "canary.yaml", "1.4.2", "promoted", look_good),
    Play("canary", "ten times the errors", "canary.yaml", "1.4.3", "rolled_back", look_bad),
    Play("dark + canary", "copies first, then users", "dark_launch.yaml", "1.4.4", "promoted", look_dark),
    Play("ab_test", "by header, then people decide", "ab_test.yaml", "1.4.5", "promoted", look_variants, _BETA),
    Play("blue_green", "preview, approval, switch", "blue_green.yaml", "1.4.6", "promoted", look_switched, _PREVIEW),
)


def faults() -> tuple[str, ...]:
    """Each version's faults, as the demo service takes them."""
    versions = (FIRST, *(play.version for play in PLAYS))
    every = {play.version: BAD_FAILS_EVERY for play in PLAYS if play.state == "rolled_back"}
    return tuple(f"{version}:fail-every={every.get(version, GOOD_FAILS_EVERY)}" for version in versions)
