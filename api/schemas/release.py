"""A release as the API shows it."""

from typing import Any

from pydantic import ConfigDict, Field

from api.schemas.common import BesideOut, Out, Plain, Time, VersionOut

STAGE_STATES = "pending, shifting, baking, passed, skipped, failed, stopped (by a person or an event) or not_reached"


class CauseOut(Out):
    type: str
    actor: str | None = None
    gate: str | None = None
    reason: str = ""
    other: str | None = Field(None, description="The release that took its place, or that it rolls back.")
    text: str


class HoldOut(Out):
    """Why exposure may not rise. A revert never looks at holds."""

    kind: str
    since: Time
    until: Time | None = None
    by: str | None = None
    detail: str = ""
    text: str


class GateOut(Out):
    """`candidate` and `stable` are bad and all requests. An open interval ends in null."""

    gate: str
    verdict: str
    ratio: float | None = None
    interval: tuple[float | None, float | None] | None = None
    candidate: tuple[int, int]
    stable: tuple[int, int]
    blocking: bool = True
    text: str


class SplitOut(Out):
    """Percent for the candidate: wanted, proven at the proxies, and counted from requests."""

    desired: int
    confirmed: int | None = None
    level: str | None = Field(None, description="How it was proven: written, settled, probed or acked.")
    observed: float | None = None


class NeedsOut(Out):
    count: int
    group: str | None = None


class ApprovalOut(Out):
    actor: str
    at: Time
    via: str = ""
    reason: str = ""


class HookOut(Out):
    """The newest attempt of a hook at one point of the plan."""

    hook: str
    when: str = Field(description="start, traffic, before or during `stage`, promotion, promoted or reverted.")
    stage: str | None = None
    attempt: int
    state: str = Field(description="running, again (it failed, and is called again), passed, failed, waived or left.")
    begun_at: Time
    ended_at: Time | None = None
    detail: str = Field("", description="What it said, or why it counts as failed.")


class StageOut(Out):
    name: str
    state: str = Field(description=STAGE_STATES)
    traffic: str = Field(description="Who gets the candidate, for people.")
    split: SplitOut
    entered_at: Time | None = None
    needs: NeedsOut | None = Field(None, description="The approval that guards it.")
    approvals: list[ApprovalOut] = Field(default_factory=list)
    analysis: list[GateOut] = Field(default_factory=list)


class ExposureOut(Out):
    max_percent: int
    requests: int
    failed: int


_SUMMARY: Plain = {
    "id": "rel_01JD",
    "number": 412,
    "service": "checkout",
    "cluster": "prod-eu",
    "state": "rolled_back",
    "from": {"version": "1.4.1", "identity": "sha256:77a"},
    "to": {"version": "1.4.2", "identity": "sha256:9f2c"},
    "actor": "alice",
    "created_at": "2026-11-24T10:02:11.000Z",
    "finished_at": "2026-11-24T10:09:40.000Z",
    "text": "checkout 1.4.1 -> 1.4.2 · prod-eu · rolled back · alice · #412",
    "links": {
        "self": "https://delivery.example.org/v1/releases/rel_01JD",
        "html": "https://delivery.example.org/releases/rel_01JD",
        "run": "https://ci.example.org/912",
    },
}


class ReleaseOut(Out):
    """One attempt to make a candidate stable. `state` joins shifting and baking as `progressing`."""

    id: str
    number: int
    service: str
    cluster: str
    state: str
    from_: VersionOut | None = Field(None, alias="from", description="Stable when it started.")
    to: VersionOut
    actor: str
    created_at: Time
    finished_at: Time | None = None
    text: str
    links: dict[str, str]

    model_config = ConfigDict(json_schema_extra={"examples": [_SUMMARY]})


class ReleaseDetail(ReleaseOut):
    """`promotion` is the raise to 100 percent. `actions` are those that its state allows now, whoever asks."""

    exposure: ExposureOut
    urgent: bool = False
    mesh_failing: bool = Field(False, description="The mesh cannot be reached now: traffic stays as it is.")
    retry_of: str | None = None
    rolls_back: str | None = None
    holds: list[HoldOut] = Field(default_factory=list)
    hooks: list[HookOut] = Field(default_factory=list, description="Those that were called, in order.")
    stages: list[StageOut]
    promotion: StageOut
    cause: CauseOut | None = None
    reverted_in: str | None = Field(None, description="From the decision to go back to its proof at the proxies.")
    actions: list[str]
    origin: dict[str, str] = Field(default_factory=dict)
    deployer: BesideOut | None = Field(None, description="What Argo CD says of its Application beside the release.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_SUMMARY,
                    "exposure": {"max_percent": 5, "requests": 812, "failed": 41},
                    "urgent": False,
                    "holds": [],
                    "stages": [
                        {
                            "name": "canary 5%",
                            "state": "failed",
                            "traffic": "5 % of requests",
                            "split": {"desired": 5, "confirmed": 5, "level": "probed", "observed": 4.9},
                            "entered_at": "2026-11-24T10:08:02.000Z",
                            "approvals": [],
                            "analysis": [
                                {
                                    "gate": "errors",
                                    "verdict": "fail",
                                    "ratio": 3.1,
                                    "interval": [2.2, 4.4],
                                    "candidate": [41, 812],
                                    "stable": [160, 9950],
                                    "blocking": True,
                                    "text": "errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950",
                                }
                            ],
                        }
                    ],
                    "promotion": {
                        "name": "promotion",
                        "state": "not_reached",
                        "traffic": "everybody",
                        "split": {"desired": 100},
                        "approvals": [],
                        "analysis": [],
                    },
                    "cause": {
                        "type": "gate_failed",
                        "gate": "errors",
                        "text": "errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950",
                    },
                    "reverted_in": "1.8s",
                    "actions": ["retry"],
                    "origin": {"commit": "4be1d0c"},
                }
            ]
        }
    )


class ReleasePage(Out):
    releases: list[ReleaseOut]
    next: str | None = Field(None, description="The cursor of the next page; null on the last one.")


class EventOut(Out):
    """A stored fact. `hash` is SHA-256 over `prev`, a line feed and `body`. Names and words of people are in `data`,
    but not in `body`: that has the SHA-256 of `said` in their place.
    """

    seq: int
    at: Time
    type: str
    text: str
    schema_: int = Field(alias="schema")
    data: dict[str, Any]
    body: str
    said: str
    prev: str
    hash: str


class EventsOut(Out):
    events: list[EventOut]
    next: int | None = Field(None, description="Ask again with `after` set to this; null when these are the last.")


class CountsOut(Out):
    requests: int
    errors: int
    slow: dict[str, int] = Field(default_factory=dict, description="Bound in milliseconds -> requests slower than it.")
    lacks: dict[str, str] = Field(default_factory=dict, description="Measures of your own that could not be read: why.")


class UnreadOut(Out):
    """Why a side of a tick could not be read."""

    side: str
    why: str = Field(description="A code: not_scraped, stale, several, partial, refused, resting, unavailable, ...")
    text: str


class TickOut(Out):
    """One look at both versions over the same window."""

    number: int
    stage: int
    start: Time
    end: Time
    candidate: CountsOut
    stable: CountsOut
    complete: bool
    unread: list[UnreadOut] = Field(default_factory=list, description="Why it is not complete.")
    earlier: CountsOut | None = Field(None, description="What stable did before, where a gate compares with that.")
    earlier_end: Time | None = None
    fresh: CountsOut | None = Field(None, description="What a copy of stable did that is as young as the candidate.")


class VerdictOut(GateOut):
    at: Time
    stage: str
    tick: int
    evidence: str = Field(description="The hash over the stage's ticks so far.")


class AnalysisOut(Out):
    """`candidate` and `stable` are sums since the first tick of the release."""

    candidate: CountsOut
    stable: CountsOut
    verdicts: list[VerdictOut]
    ticks: list[TickOut]
    next: int | None = Field(None, description="Ask again with `after` set to this; null when these are the last.")


class ExplainOut(Out):
    why: list[str]
    waits_for: list[str]
    until: Time | None = None
    who: list[str]
    text: str
