"""What is played: five releases, and what each has to come to."""

from collections.abc import Callable
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
class Seen:
    """One release after its end. `before` is what the load had counted in it before real users could meet it."""

    release: Json
    counted: Counted
    before: Counted
    refused: str = ""

    @property
    def candidate(self) -> str:
        return str(self.release["to"]["version"])

    @property
    def stable(self) -> str:
        return str(self.release["from"]["version"])

    def stage(self, strategy: str) -> Json:
        """The first stage of a strategy."""
        return next(stage for stage in self.release["stages"] if stage["name"].startswith(strategy))

    def measured(self, strategy: str) -> Json:
        """What the gate `errors` found there."""
        return next(gate for gate in self.stage(strategy)["analysis"] if gate["gate"] == "errors")


@dataclass(frozen=True, slots=True)
class Play:
    """`asks` is whether it has to wait for an approval. `look` checks what is special, and says it in a few words."""

    title: str
    what: str
    file: str
    version: str
    state: str
    look: Callable[[Seen], str]
    asks: bool = False


def look_good(seen: Seen) -> str:
    return f"{seen.release['exposure']['requests']} requests measured, no worse"


def look_bad(seen: Seen) -> str:
    cause, served = seen.release["cause"], seen.counted.of(seen.candidate)
    expect(cause["type"] == "gate_failed", "the gate to take it back", f"it went back because of {cause['text']}")
    expect(served.errors > 0, "users to have met the errors that took it back", "the load saw none")
    gate = next(gate for stage in seen.release["stages"] for gate in stage["analysis"] if gate["verdict"] == "fail")
    low, high = gate["interval"]
    return f"errors {gate['ratio']:.1f}x ({low:.1f}-{high:.0f}), back in {seen.release['reverted_in']}"


def look_dark(seen: Seen) -> str:
    mirrored = seen.measured("dark_launch")["candidate"][1]
    expect(mirrored >= _FEW, f"at least {_FEW} requests to be mirrored", f"{mirrored} were")
    reached = seen.before.of(seen.candidate).requests
    expect(reached == 0, "no answer of the dark launch to reach a client", f"{reached} did")
    return f"{mirrored} mirrored, none of them reached a client"


def look_variants(seen: Seen) -> str:
    gate = seen.measured("ab_test")
    expect(gate["candidate"][1] >= _FEW and gate["stable"][1] >= _FEW, "both variants to be measured", gate["text"])
    a, b = gate["stable"], gate["candidate"]
    return f"errors a {a[0]} of {a[1]}, b {b[0]} of {b[1]}; {_approved(seen, seen.release['promotion'])}"


def look_switched(seen: Seen) -> str:
    return _approved(seen, seen.stage("blue_green switch"))


def _approved(seen: Seen, stage: Json) -> str:
    people = [approval["actor"] for approval in stage["approvals"]]
    expect(people == [APPROVES], f"{APPROVES} to have approved it", f"this is who did: {people}")
    expect(bool(seen.refused), f"{STARTS}, who started it, to be refused as approver", "nobody was")
    return f"approved by {APPROVES}"


PLAYS = (
    Play("canary", "a good version, step by step", "canary.yaml", "1.4.2", "promoted", look_good),
    Play("canary", "ten times the errors", "canary.yaml", "1.4.3", "rolled_back", look_bad),
    Play("dark + canary", "copies first, then users", "dark_launch.yaml", "1.4.4", "promoted", look_dark),
    Play("ab_test", "by header, then people decide", "ab_test.yaml", "1.4.5", "promoted", look_variants, asks=True),
    Play("blue_green", "preview, approval, switch", "blue_green.yaml", "1.4.6", "promoted", look_switched, asks=True),
)


def faults() -> tuple[str, ...]:
    """Each version's faults, as the demo service takes them."""
    versions = (FIRST, *(play.version for play in PLAYS))
    every = {play.version: BAD_FAILS_EVERY for play in PLAYS if play.state == "rolled_back"}
    return tuple(f"{version}:fail-every={every.get(version, GOOD_FAILS_EVERY)}" for version in versions)
