"""Break-glass: a person takes the routes of a service in hand, and gives them back."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field

from api.answers import shown
from api.auth import Operator
from api.openapi import WRITE, errors
from api.routes.calls import Calling
from api.schemas.common import AnswerOut, In, Name, Reason
from delivery.model.notice import HandsOff

router = APIRouter(prefix="/v1/services", tags=["services"])
Named = Annotated[Name, Path(alias="name", examples=["checkout"])]
_ERRORS = WRITE | errors("unknown-service", "key-reused", "needs-reason")


class HandsIn(In):
    """Without `cluster`: in every cluster of the service."""

    reason: Reason = ""
    cluster: Name | None = Field(None, examples=["prod-eu"])

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "by hand, incident 7"}]})


@router.post("/{name}/pause", responses=_ERRORS)
async def pause_service(call: Calling, _: Operator, name: Named, body: HandsIn) -> AnswerOut:
    """Stop every write of ours to the service's routes, so that people can shift traffic by hand.

    Nothing is reverted either: whoever pauses has the wheel. A release that runs is held.
    """
    return await say(call, name, body, off=True)


@router.post("/{name}/resume", responses=_ERRORS)
async def resume_service(call: Calling, _: Operator, name: Named, body: HandsIn) -> AnswerOut:
    """Give the routes back. What was changed by hand is put right for a release that runs, else as `on_drift` says."""
    return await say(call, name, body, off=False)


async def say(call: Calling, name: str, body: HandsIn, *, off: bool) -> AnswerOut:
    answer = await call.submit(HandsOff(name, off, call.actor, body.reason, body.cluster), "unknown-service")
    return shown(call.app.services.public_url, answer)
