"""Names of people out of what is stored."""

from secrets import token_hex

import structlog
from fastapi import APIRouter

from api.access import reach
from api.auth import Admin
from api.openapi import WRITE, errors
from api.problems import Problem
from api.schemas.admin import ErasedOut, EraseIn
from api.services import Services
from delivery.engine.erase import Asked, erase
from delivery.model.erasure import Whom

router = APIRouter(prefix="/v1/people", tags=["history"])
log = structlog.get_logger()


@router.post("/erase", responses=WRITE | errors("in-use"))
def erase_person(services: Services, caller: Admin, body: EraseIn) -> ErasedOut:
    """Take somebody's names out of all that is stored, one step at a time: ask again with `next` until there is none.

    Refused while something that is open names them.
    """
    reach.check_whole(caller)
    whom = Whom(tuple(body.names), body.key or token_hex(4))
    if whom.is_(caller.principal):
        raise Problem("invalid", "this is you: another admin has to do it, so that the record has somebody's name")
    if body.cursor is None and (open_ones := services.erasure.hindrances(whom)):
        raise Problem("in-use", "; ".join(open_ones))
    asked = Asked(caller.principal, token_hex(16), services.clock.now())
    try:
        step = erase(services.erasure, whom, asked, body.cursor)
    except ValueError as error:
        raise Problem("invalid", str(error)) from None
    if body.cursor is None:
        log.info("person_erased", person=whom.key, by=caller.principal)
    return ErasedOut(key=whom.key, stand_in=whom.stand_in, changed=step.rows, next=step.next)
