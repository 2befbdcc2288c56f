"""Services, plans and checks as the API shows them."""

from typing import Any

from pydantic import ConfigDict, Field

from api.schemas.common import BesideOut, In, MistakeOut, Name, Out, Plain, Time, VersionOut

_DOCUMENT: Plain = {
    "service": "checkout",
    "cluster": "local",
    "workload": {"process": "checkout"},
    "strategies": [{"canary": {"steps": ["1%", "5%", "25%"], "bake": "5m", "gates": ["errors"]}}],
    "gates": {"errors": {"ratio": "http_errors", "worse_than": 1.1}},
}


class TargetOut(Out):
    """A service in one cluster. `waits_for` says what it is next looked at for, `due_at` when."""

    cluster: str
    stable: VersionOut | None = None
    active: str | None = None
    queue: list[str] = Field(default_factory=list)
    last: str | None = None
    due_at: Time | None = None
    waits_for: str = ""
    deployer: BesideOut | None = Field(None, description="What Argo CD said last of its Application, in a release.")
    paused: str | None = Field(
        None, description="Who stopped all writes of ours here, by pause or in the mesh itself, and why."
    )
    quarantined: str | None = Field(None, description="The error that took it out of service; abort still works.")


class ServiceOut(Out):
    name: str
    revision: int
    digest: str
    applied_at: Time
    applied_by: str
    document: dict[str, Any]
    targets: list[TargetOut]
    broken: str | None = Field(None, description="Why the stored file cannot be used by this server.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "checkout",
                    "revision": 3,
                    "digest": "5d41402a",
                    "applied_at": "2026-11-24T09:00:00.000Z",
                    "applied_by": "alice",
                    "document": _DOCUMENT,
                    "targets": [{"cluster": "local", "stable": {"version": "1.4.1", "identity": "1.4.1"}}],
                }
            ]
        }
    )


class ServicesOut(Out):
    services: list[ServiceOut]


class StagePlan(Out):
    name: str
    strategy: str
    traffic: str
    limits: str | None = Field(None, description="What the stage's traffic policy limits, on the candidate alone.")
    at_least: str = Field(description="The shortest time that it can take, unless every gate passes early.")
    at_most: str = Field(description="Its deadline. Holds stop it.")
    min_requests: int
    gates: list[str]
    approval: str | None = None
    text: str


class GatePlan(Out):
    """What is compared."""

    id: str
    kind: str
    params: dict[str, Any]
    blocking: bool
    text: str


class PlanOut(Out):
    """What a release would do, without one being made."""

    service: str
    stages: list[StagePlan]
    gates: list[GatePlan]
    hooks: list[str] = Field(default_factory=list, description="What is called when.")
    promotion: str
    at_least: str
    text: list[str]
    outlook: list[str] | None = Field(None, description="What the gates would find, and warnings; where it was asked.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "checkout",
                    "stages": [
                        {
                            "name": "canary 5%",
                            "strategy": "canary",
                            "traffic": "5 % of requests",
                            "at_least": "5m",
                            "at_most": "15m",
                            "min_requests": 50,
                            "gates": ["errors"],
                            "text": "canary 5% (1/1): the candidate gets 5 % of requests for 5m or more",
                        }
                    ],
                    "gates": [
                        {
                            "id": "errors",
                            "kind": "ratio",
                            "params": {"metric": "http_errors", "worse_than": 1.1},
                            "blocking": True,
                            "text": "errors: the candidate against stable (worse_than 1.1)",
                        }
                    ],
                    "promotion": "then everybody, without asking",
                    "at_least": "5m",
                    "text": ["canary 5% (1/1): the candidate gets 5 % of requests for 5m or more"],
                    "outlook": [
                        "errors at 10 requests a second with 0.1 % errors would catch a version that is 4 times as bad "
                        "in 77 % of releases (after 20 min)"
                    ],
                }
            ]
        }
    )


class PlanIn(In):
    """Of a service as it is applied, or of a document that is not."""

    service: Name | None = None
    document: dict[str, Any] | None = None
    outlook: bool = Field(False, description="Also say what the gates would find; takes a second or two.")
    rps: float | None = Field(None, gt=0, le=1e7, description="Requests a second; default: as in the last release.")
    errors: float | None = Field(None, ge=0, lt=1, description="Share of them that fails; default: as stable's then.")

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"service": "checkout"}]})


class CheckOut(Out):
    """`valid` or every mistake with its place. Nothing is stored."""

    valid: bool
    mistakes: list[MistakeOut] = Field(default_factory=list)
    plan: PlanOut | None = None
    changes: bool = Field(False, description="Whether applying it would change what is stored.")
