"""What people ask of releases."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from api.schemas.common import In, Line, Name, Out, Reason, Ref
from delivery.model.hold import HoldKind
from delivery.model.scalars import Reader
from delivery.sources import release_request


def _reads(reader: Reader[str]) -> AfterValidator:
    """The same reading as an event's, so that what CI may say people may say too."""

    def check(value: str) -> str:
        if reader.read(value) is None:
            raise ValueError(f"expected {reader.expected}")
        return value

    return AfterValidator(check)


Version = Annotated[str, _reads(release_request.VERSION)]
Image = Annotated[str, _reads(release_request.IMAGE)]
Commit = Annotated[str, _reads(release_request.COMMIT)]
RunUrl = Annotated[str, _reads(release_request.RUN_URL)]
Config = Annotated[str, _reads(release_request.CONFIG)]


class StartIn(In):
    """A release started by a person. Without `cluster`: in every cluster of the service."""

    service: Name
    version: Version
    cluster: Name | None = None
    identity: Line | None = Field(None, description="Left out: the digest of `image`, else the version itself.")
    image: Image | None = None
    config: Config | None = Field(None, description="What its tracked configuration is called: part of the identity.")
    urgent: bool = Field(False, description="Takes the place of a release that is running.")
    reason: Reason = ""
    commit: Commit | None = Field(None, description="Kept in the history; what a deployment at GitHub is about.")
    run_url: RunUrl | None = Field(None, description="The run of CI, for links.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"service": "checkout", "version": "1.4.2", "cluster": "prod-eu"}]},
    )


class ActionIn(In):
    reason: Reason = ""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "errors look odd"}]})


class ResumeIn(ActionIn):
    """Lifts exactly these holds; none named: the pause."""

    holds: list[HoldKind] = Field([HoldKind.PAUSE], min_length=1, max_length=20)


class ActionOut(Out):
    """`effect`: `reverting` while users may still meet the candidate, `waiting` where that is decided and a person has
    the service's routes in hand, so that nothing is written, `effective` once the action has taken effect, `started` or
    `queued` for a new release, `none` where there was nothing left to do."""

    outcome: str
    effect: str
    state: str
    release: Ref
    reason: str
    text: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "outcome": "signal",
                    "effect": "reverting",
                    "state": "rolling_back",
                    "release": {"id": "rel_01JD", "url": "https://delivery.example.org/v1/releases/rel_01JD"},
                    "reason": "aborted",
                    "text": "traffic goes back to stable",
                }
            ]
        }
    )
