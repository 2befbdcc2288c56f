"""A person's request as a notice: who, with what key, and how its answer is awaited."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Header, Request
from starlette.concurrency import run_in_threadpool

from api.access.caller import Caller, Came
from api.access.reach import check_says
from api.answers import settled
from api.services import App, Running
from delivery.engine.answer import Answer, Arrival
from delivery.model.ids import Principal
from delivery.model.notice import Notice, Says

CLI = "delivery-cli"
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,128}$",
        description="The same key with the same body again is not done twice and gets the same answer.",
    ),
]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Keys are each token's own, so that two callers cannot meet in one."""

    app: Running
    caller: Caller
    path: str
    body: bytes
    key: str | None
    via: str

    @property
    def actor(self) -> Principal:
        return self.caller.principal

    @property
    def told(self) -> str:
        """Through what, as the history tells it: a token and a job by their names."""
        named = self.caller.came in (Came.TOKEN, Came.CI)
        return f"{self.via} {self.caller.name}" if named else self.via

    @property
    def source(self) -> str:
        return f"{self.caller.via}:{self.caller.credential}"

    async def seen_before(self) -> bool:
        """Whether this key was used already: then the answer is the earlier one, whatever has changed since."""
        if self.key is None:
            return False
        row = (self.source, self.key)
        return row in await run_in_threadpool(self.app.services.ledger.deliveries, [row])

    async def submit(self, says: Says, unknown: str) -> Answer:
        """The answer, after the commit. Raises Problem; `unknown` is the one for a name that is not there."""
        await run_in_threadpool(check_says, self.app.services, self.caller, says)
        digest = sha256(self.path.encode() + b"\n" + self.body).hexdigest()
        notice = Notice(self.source, self.key or uuid4().hex, digest, says)
        answer = await self.app.intake.submit(Arrival(notice, self.body))
        self.app.counters.answer(self.caller.via, answer.outcome)
        return settled(answer, unknown)


async def _call(app: App, request: Request, key: Key = None) -> Call:
    caller: Caller = request.state.caller
    path, body = request.url.path, await request.body()
    return Call(app, caller, path, body, key or _own_key(caller, path, body), _through(caller, request))


def _own_key(caller: Caller, path: str, body: bytes) -> str | None:
    """A credential for one run says the same thing once, however often somebody sends a copy of it."""
    return sha256(b"\n".join((caller.once.encode(), path.encode(), body))).hexdigest() if caller.once else None


def _through(caller: Caller, request: Request) -> str:
    """Through what somebody speaks, for the history: how they proved who they are, or our own command with a token."""
    ours = caller.came is Came.TOKEN and request.headers.get("user-agent", "").startswith(CLI)
    return "cli" if ours else caller.came.value


Calling = Annotated[Call, Depends(_call)]
