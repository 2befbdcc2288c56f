"""What was asked of the list of releases: the API's own filters, as forms send them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

from api.problems import Problem
from api.schemas.query import ReleaseQuery

M = TypeVar("M", bound=BaseModel)
_TIMES = ("since", "until")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as the form shows them again."""

    service: str
    cluster: str
    state: str
    actor: str
    version: str
    since: str
    until: str

    @property
    def any(self) -> bool:
        return any((self.service, self.cluster, self.state, *self._rest))

    @property
    def only(self) -> str | None:
        """The state, where nothing else is asked for; None where something is."""
        return None if any((self.service, self.cluster, *self._rest)) else self.state

    @property
    def _rest(self) -> tuple[str, ...]:
        return self.actor, self.version, self.since, self.until


def read(query: QueryParams) -> ReleaseQuery:
    """Raises the problem `invalid`. A field that was left empty asks for nothing."""
    given: dict[str, object] = {key: value for key, value in query.items() if value and key != "state"}
    given |= {key: _utc(str(given[key])) for key in _TIMES if key in given}
    states = [value for value in query.getlist("state") if value]
    return made(ReleaseQuery, **given, state=states)


def made(model: type[M], /, **fields: Any) -> M:
    """What the API would have read of a body. Raises the problem `invalid`, with each place and what is wrong there."""
    try:
        return model(**fields)
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> Problem:
    found = [
        {"place": ".".join(map(str, one["loc"])), "problem": one["msg"].removeprefix("Value error, ")}
        for one in error.errors()
    ]
    return Problem("invalid", f"{found[0]['place']}: {found[0]['problem']}", mistakes=found)


def shown(query: QueryParams) -> Asked:
    def one(name: str) -> str:
        return query.get(name, "")

    return Asked(
        one("service"),
        one("cluster"),
        one("state"),
        one("actor"),
        one("version"),
        *(one(name).removesuffix("Z") for name in _TIMES),
    )


def without(query: QueryParams, name: str) -> Mapping[str, str]:
    """The filters that are set, but this one."""
    return {key: value for key, value in query.items() if value and key != name}


def _utc(time: str) -> str:
    """A browser's field for times knows no zone: the page says that it is UTC."""
    zoned = time.endswith("Z") or "+" in time or time.count("-") > 2
    return time if zoned else f"{time}Z"
