"""Starting releases, and a person's word to one: through the same inbox as everything that comes in."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from starlette.concurrency import run_in_threadpool

from api import etag
from api.access.reach import action_of
from api.answers import shown
from api.auth import Approver, Operator
from api.openapi import WRITE, Responses, errors
from api.problems import Problem
from api.routes.calls import Calling
from api.routes.lookup import Id, find, in_hand, possible
from api.schemas.common import AnswerOut
from api.schemas.release_in import ActionIn, ActionOut, ResumeIn, StartIn
from api.views.common import ref, state
from delivery.engine.answer import Answer
from delivery.model.event import Phase
from delivery.model.ids import ReleaseId
from delivery.model.notice import Again, ReleaseAction, ReleaseRequested, Says
from delivery.model.role import Role
from delivery.model.signal import Abort, Approve, Pause, PersonSignal, PromoteNow, Reject, Resume
from delivery.model.version import VersionRef

router = APIRouter(prefix="/v1/releases")
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=200, description="The ETag that was seen; 412 where the release moved on."),
]
_ERRORS = WRITE | errors(
    "unknown-release", "key-reused", "not-allowed-now", "changed-meanwhile", "invalid", "needs-reason"
)
_REVERTS: Responses = {202: {"model": ActionOut, "description": "Decided; traffic is on its way back to stable."}}
_CREATES: Responses = {201: {"model": ActionOut, "description": "A new release, named in the Location header."}}
_STATUS = {"reverting": 202, "waiting": 202, "started": 201, "queued": 201}


class Acting:
    """One action on one release: what was seen is checked, the word is submitted, the new state is told."""

    def __init__(self, call: Calling, given: Id, response: Response, if_match: IfMatch = None) -> None:
        self.call = call
        self._given = given
        self._if_match = if_match
        self._response = response

    async def signal(self, kind: type[PersonSignal], body: ActionIn) -> ActionOut:
        release, dseq = await self._seen()
        return await self._send(ReleaseAction(release, self._word(kind, body, dseq)))

    async def resume(self, body: ResumeIn) -> ActionOut:
        release, dseq = await self._seen()
        caller = self.call.caller
        word = Resume(
            caller.principal,
            body.reason,
            self.call.told,
            caller.groups,
            caller.role is Role.ADMIN,
            dseq,
            holds=tuple(body.holds),
        )
        return await self._send(ReleaseAction(release, word))

    async def again(self, body: ActionIn, *, back: bool) -> ActionOut:
        release, _ = await self._seen()
        return await self._send(Again(release, back, self.call.actor, body.reason, self.call.told))

    async def _seen(self) -> tuple[ReleaseId, int | None]:
        """The release, and the desired traffic that the caller saw (None: whatever is live)."""
        services = self.call.app.services
        stored = await run_in_threadpool(find, services, self._given)
        release = stored.release
        if self._if_match is None or await self.call.seen_before():
            return release.id, None
        etag.check(self._if_match, release.seq)
        return release.id, release.dseq

    def _allowed(self) -> list[str]:
        """What fits now, which may be another moment than that of the refusal."""
        services = self.call.app.services
        release = find(services, self._given).release
        return list(possible(services, release))

    def _word(self, kind: type[PersonSignal], body: ActionIn, dseq: int | None) -> PersonSignal:
        caller = self.call.caller
        return kind(caller.principal, body.reason, self.call.told, caller.groups, caller.role is Role.ADMIN, dseq)

    async def _send(self, says: Says) -> ActionOut:
        services = self.call.app.services
        try:
            answer = await self.call.submit(says, "unknown-release")
        except Problem as problem:
            if problem.kind == "not-allowed-now":
                problem.more["allowed"] = await run_in_threadpool(self._allowed)
            if "allowed" in problem.more:
                refused = action_of(says)  # not one to propose, even where it fits by now
                problem.more["allowed"] = [one for one in problem.more["allowed"] if one != refused]
            raise
        named = answer.release or ReleaseId(self._given)
        release = (await run_in_threadpool(find, services, named)).release
        paused = await run_in_threadpool(in_hand, services, release)
        effect = _effect(answer, release.phase, paused)
        where = ref(services.public_url, release.id)
        self._response.headers["ETag"] = etag.etag(release.seq)
        self._response.status_code = _STATUS.get(effect, 200)
        if answer.outcome == "release":
            self._response.headers["Location"] = where.url
        return ActionOut(
            outcome=answer.outcome,
            effect=effect,
            state=state(release.phase),
            release=where,
            reason=answer.reason,
            text=answer.text if effect != "waiting" else f"{answer.text}, but nothing is written now: {paused}",
        )


def _effect(answer: Answer, phase: Phase, paused: str | None) -> str:
    if answer.outcome == "release":
        return "queued" if phase is Phase.QUEUED else "started"
    if phase is Phase.ROLLING_BACK:
        return "waiting" if paused else "reverting"
    return "none" if answer.outcome == "no_op" else "effective"


Act = Annotated[Acting, Depends()]


@router.post("", tags=["releases"], status_code=201, responses=WRITE | errors("unknown-name", "key-reused"))
async def start_release(call: Calling, _: Operator, body: StartIn, response: Response) -> AnswerOut:
    """Start a release by hand, as CI would by a webhook. 200 where nothing new was started, with the reason."""
    version = VersionRef.of(body.version, body.image, body.config)
    if body.identity:
        version = replace(version, identity=body.identity).configured(body.config)
    said = {"reason": body.reason, "commit": body.commit, "run_url": body.run_url}
    origin = {"via": call.via, "token": call.caller.name} | {name: value for name, value in said.items() if value}
    says = ReleaseRequested(body.service, version, call.actor, body.cluster, body.urgent, origin)
    answer = shown(call.app.services.public_url, await call.submit(says, "unknown-name"))
    if answer.outcome != "release" or answer.release is None:
        response.status_code = 200
    else:
        response.headers["Location"] = answer.release.url
    return answer


@router.post("/{id}/approve", tags=["actions"], responses=_ERRORS)
async def approve(act: Act, _: Approver, body: ActionIn) -> ActionOut:
    """Vote for the next step. Nobody approves what they started; a vote on traffic that is no longer live misses."""
    return await act.signal(Approve, body)


@router.post("/{id}/reject", tags=["actions"], responses=_ERRORS | _REVERTS)
async def reject(act: Act, _: Approver, body: ActionIn) -> ActionOut:
    """Vote against the next step: everybody goes back to stable."""
    return await act.signal(Reject, body)


@router.post("/{id}/pause", tags=["actions"], responses=_ERRORS)
async def pause(act: Act, _: Approver, body: ActionIn) -> ActionOut:
    """Keep exposure from rising. A failing gate still reverts."""
    return await act.signal(Pause, body)


@router.post("/{id}/resume", tags=["actions"], responses=_ERRORS)
async def resume(act: Act, _: Operator, body: ResumeIn) -> ActionOut:
    """Lift holds by name. A freeze needs a reason; `quarantined` and `history_lost` need an admin."""
    return await act.resume(body)


@router.post("/{id}/promote", tags=["actions"], responses=_ERRORS)
async def promote(act: Act, _: Operator, body: ActionIn) -> ActionOut:
    """Skip the stages that are left and give everybody the candidate. Refused under a freeze or a missing approval."""
    return await act.signal(PromoteNow, body)


@router.post("/{id}/abort", tags=["actions"], responses=_ERRORS | _REVERTS)
async def abort(act: Act, _: Approver, body: ActionIn) -> ActionOut:
    """Go back to stable now. 202 once it is decided (`reverting`); the release says when proxies had proven it."""
    return await act.signal(Abort, body)


@router.post("/{id}/retry", tags=["actions"], status_code=201, responses=_ERRORS | _CREATES)
async def retry(act: Act, _: Operator, body: ActionIn) -> ActionOut:
    """Try the candidate of a finished release once more, as a new release."""
    return await act.again(body, back=False)


@router.post("/{id}/rollback", tags=["actions"], status_code=201, responses=_ERRORS | _CREATES)
async def rollback(act: Act, _: Operator, body: ActionIn) -> ActionOut:
    """Go back to the version that a finished release replaced, as a new release, free of freezes and approvals."""
    return await act.again(body, back=True)
