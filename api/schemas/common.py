"""Shapes that several answers share."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A DNS-1123 label."""
Name = Annotated[str, StringConstraints(pattern=LABEL)]
_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
Line = Annotated[str, StringConstraints(pattern=_NO_CONTROLS, min_length=1, max_length=200)]
"""One line without control characters: it is stored, and shown in chat and terminals."""
Reason = Annotated[str, StringConstraints(pattern=_NO_CONTROLS, max_length=1000)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, UTC, milliseconds."""


class In(BaseModel):
    """What a request may say; anything else in it is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    """What an answer says; new members may be added."""

    model_config = ConfigDict(populate_by_name=True)


class MistakeOut(Out):
    place: str
    line: int | None = None
    problem: str
    expected: str | None = None


class ProblemOut(Out):
    """RFC 9457. `type` is for programs: `urn:delivery:problem:KIND`; `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    reason: str | None = Field(None, description="A finer code, where the type has several reasons.")
    allowed: list[str] | None = Field(None, description="The actions that the release allows now.")
    mistakes: list[MistakeOut] | None = Field(None, description="What is wrong, and where.")


class VersionOut(Out):
    version: str
    identity: str = Field(description="What decides sameness: two labels of one identity are one version.")
    image: str | None = None


class Ref(Out):
    id: str
    url: str


class OtherOut(Out):
    """What became of it for one of the targets, where that is something else than the answer itself says."""

    target: str = Field(description="Service and cluster: `checkout@prod-eu`.")
    outcome: Literal["release", "signal", "no_op", "accepted", "refused", "unknown", "conflict"]
    reason: str = Field(description="A code for programs.")
    text: str = Field(description="The same for people.")
    release: Ref | None = None


class AnswerOut(Out):
    """What became of a delivery or a request. The same one again gets the same answer."""

    outcome: Literal["release", "signal", "no_op", "accepted"] = Field(
        description="`release`: one was started or queued. `signal`: a running one took it. `no_op`: nothing follows, "
        "for the reason given. `accepted`: kept, to be looked into."
    )
    release: Ref | None = None
    releases: list[Ref] = Field(default_factory=list, description="One for each cluster that was meant.")
    reason: str = Field(description="A code for programs.")
    text: str = Field(description="The same for people.")
    others: list[OtherOut] = Field(
        default_factory=list,
        description="Where several clusters were meant: those of them in which something else became of it.",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "outcome": "release",
                    "release": {"id": "rel_01JD", "url": "https://delivery.example.org/v1/releases/rel_01JD"},
                    "releases": [{"id": "rel_01JD", "url": "https://delivery.example.org/v1/releases/rel_01JD"}],
                    "reason": "started",
                    "text": "checkout 1.4.2 starts on prod-eu",
                }
            ]
        }
    )


Plain = dict[str, Any]


class BesideOut(Out):
    """What a deployer beside us, such as Argo CD, said of itself, in its own words. Nothing follows from it."""

    name: str
    sync: str
    health: str
    detail: str = Field("", description="What it does just now, or why its last sync failed.")
    revision: str = ""
    at: Time = Field(description="When it began to say so.")
    text: str
