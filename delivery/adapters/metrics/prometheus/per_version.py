"""PromQL that people wrote, asked for each version on its own: many versions in one call."""

from collections.abc import Mapping, Sequence

from delivery.adapters.metrics.prometheus.promql import BadQuery, check, rendered
from delivery.adapters.metrics.prometheus.query import PART
from delivery.adapters.metrics.prometheus.server import Row, Server
from delivery.adapters.metrics.prometheus.subjects import IN_KUBERNETES, PLACES, Locate, values
from delivery.adapters.metrics.prometheus.template import OF_BACKENDS
from delivery.model.series import Unread, Why
from delivery.ports.clock import Clock
from delivery.ports.errors import PortError, Unavailable
from delivery.ports.metrics import Subject, Unmeasured, unread

BATCH = 20
"""Versions in one call: each has a query for every thing that is asked."""
DISTINCT = OF_BACKENDS | {"identity", "version"}
"""Placeholders that are another value for another version."""
_SUBJECT = "delivery_subject"
_OURS = (PART, _SUBJECT, "__name__")


def check_query(query: str, distinct: bool = True) -> None:
    """Raises BadQuery for a query that cannot be filled safely; `distinct`: or that is the same for all versions."""
    found = check(query, PLACES)
    if distinct and not found & DISTINCT:
        raise BadQuery(f"{query!r} has no placeholder that tells versions apart, such as {{version}}")


def mixes(query: str) -> bool:
    """Whether it tells versions apart, but not a copy of stable from stable."""
    found = check(query, PLACES)
    return bool(found & DISTINCT) and found.isdisjoint(OF_BACKENDS)


def source(row: Row) -> str:
    """What counted it: every label of the row that is not ours."""
    return "/".join(value for name, value in sorted(row["metric"].items()) if name not in _OURS)


class PerVersion:
    """`queries` by what they ask (checked before). `seconds` bounds all calls of one `rows` together."""

    def __init__(
        self, server: Server, queries: Mapping[str, str], clock: Clock, locate: Locate, seconds: float
    ) -> None:
        placed = any(check(query, PLACES) & set(IN_KUBERNETES) for query in queries.values())
        self._server = server
        self._queries = queries
        self._clock = clock
        self._locate = locate if placed else None
        self._seconds = seconds

    def rows(self, subjects: Sequence[Subject]) -> Mapping[Subject, list[Row] | Unread]:
        """The rows of each, each with its query in the label PART; or why there are none. A copy has none by queries
        that would count stable's requests too.

        Raises Unavailable where no call was answered.
        """
        until = self._clock.monotonic() + self._seconds
        found: dict[Subject, list[Row] | Unread] = {}
        errors = []
        for first in range(0, len(subjects), BATCH):
            batch = subjects[first : first + BATCH]
            try:
                found |= self._batch(batch, until - self._clock.monotonic())
            except Unavailable as error:
                errors.append(error)
                found |= dict.fromkeys(batch, unread(error))
        if errors and all(isinstance(one, Unread) for one in found.values()):
            raise errors[0]
        return found

    def _batch(self, subjects: Sequence[Subject], left: float) -> dict[Subject, list[Row] | Unread]:
        if left <= 0:
            raise Unmeasured(f"{self._server.name} took longer than {self._seconds:g} s", Why.UNAVAILABLE)
        found: dict[Subject, list[Row] | Unread] = {}
        texts: dict[str, None] = {}
        for number, subject in enumerate(subjects):
            try:
                known = values(subject, self._locate(subject.target) if self._locate else None)
            except PortError as error:
                found[subject] = Unread(Why.UNPLACED, str(error))
                continue
            texts |= dict.fromkeys(
                _marked(rendered(query, told), part, number)
                for told in known
                for part, query in self._queries.items()
                if not (subject.backend.version.is_copy and mixes(query))
            )
        rows: dict[str, list[Row]] = {}
        for row in self._server.query(" or ".join(texts), left) if texts else ():
            rows.setdefault(row["metric"].get(_SUBJECT, ""), []).append(row)
        for number, subject in enumerate(subjects):
            found.setdefault(subject, rows.get(str(number), []))
        return found


def _marked(query: str, part: str, number: int) -> str:
    inner = f'label_replace(({query}), "{PART}", "{part}", "", "")'
    return f'label_replace({inner}, "{_SUBJECT}", "{number}", "", "")'
