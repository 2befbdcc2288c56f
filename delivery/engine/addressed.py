"""Whom an arrival is for: one part of it for each target, or the answer that is known already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from delivery.engine.addressees import addressees, hinted, meant
from delivery.engine.answer import Answer, Arrival, unknown
from delivery.engine.book import Entry
from delivery.engine.hinted import encode
from delivery.engine.parts import Parts
from delivery.model.frozen import replace
from delivery.model.ids import TargetId
from delivery.model.notice import Again, HandsOff, Happened, Hinted, ReleaseRequested

Key = tuple[str, str]
TO_BE_READ = Answer("accepted", reason="to_be_read", text="it is kept: what is there is read again, then it counts")


@dataclass(frozen=True, slots=True)
class Addressed:
    """One target's part of an arrival, with a key of its own. `index` is the arrival's place in the batch."""

    index: int
    arrival: Arrival
    key: Key
    target: TargetId | None
    answer: Answer | None = None  # known already: unknown names, conflicts, repeated deliveries
    kept: bool = False  # with its answer, until a worker has read again what it only hints at


class Addressing:
    def __init__(self, parts: Parts) -> None:
        self._ledger = parts.ledger
        self._book = parts.book
        self._telemetry = parts.telemetry

    def of(self, arrivals: Sequence[Arrival], entries: Mapping[str, Entry | None]) -> list[Addressed]:
        """In the order of the arrivals; `entries` are the services that they name."""
        return [part for index, arrival in enumerate(arrivals) for part in self._of_one(index, arrival, entries)]

    def entries(self, arrivals: Sequence[Arrival]) -> Mapping[str, Entry | None]:
        """The services that the batch names, as applied now."""
        names = {a.notice.says.service for a in arrivals if isinstance(a.notice.says, ReleaseRequested | HandsOff)}
        return self._book.read(sorted(names)) if names else {}

    def anew(
        self, parts: Sequence[Addressed], entries: Mapping[str, Entry | None]
    ) -> tuple[list[Addressed], Mapping[str, Entry | None]]:
        """To be asked once the targets were loaded: the services as they are then, and whom their files still name.

        A file that is stored later moves the targets, so that a release on what is read here is a conflict.
        """
        started = [_starts(part) for part in parts]
        names = {name for name in started if name}
        now = self._book.read(sorted(names)) if names else {}
        changed = {name for name in names if now[name] is not entries.get(name)}
        each = zip(parts, started, strict=True)
        found = [self._still(part, now) if name in changed else part for part, name in each]
        return found, {**entries, **now}

    def _still(self, part: Addressed, entries: Mapping[str, Entry | None]) -> Addressed:
        if not isinstance(part.arrival.notice.says, ReleaseRequested):
            return part
        found = self._targets(part.arrival, entries)
        if isinstance(found, Answer):
            return replace(part, answer=found)
        gone = unknown("unknown_target", f"{part.target} is not in its service file any more")
        return part if part.target in found else replace(part, answer=gone)

    def _of_one(self, index: int, arrival: Arrival, entries: Mapping[str, Entry | None]) -> list[Addressed]:
        notice = arrival.notice
        if isinstance(notice.says, Happened):
            return self._meant(index, arrival, notice.says)
        if isinstance(notice.says, Hinted):
            return self._hinted(index, arrival, notice.says)
        found = self._targets(arrival, entries)
        if isinstance(found, Answer):
            return [Addressed(index, arrival, (notice.source, notice.key), None, found)]
        return _each(index, [(arrival, target) for target in found])

    def _meant(self, index: int, arrival: Arrival, happened: Happened) -> list[Addressed]:
        """What the triggers of all services make of it: a request of each that fits, to each of its targets."""
        notice = arrival.notice
        everything = self._book.read([one.name for one in self._ledger.services()])
        asked: list[tuple[Arrival, TargetId]] = []
        others: list[Answer] = []
        for request in meant(notice.source, happened, everything):
            own = arrival if isinstance(request, Answer) else replace(arrival, notice=replace(notice, says=request))
            found = request if isinstance(request, Answer) else self._targets(own, everything)
            if isinstance(found, Answer):
                self._telemetry.log("trigger_without_release", source=notice.source, key=notice.key, why=found.text)
                others.append(found)
            else:
                asked += [(own, target) for target in found]
        key = (notice.source, f"{notice.key}#")  # no target's: nothing is stored under it
        return [*_each(index, asked), *(Addressed(index, arrival, key, None, answer) for answer in others)]

    def _hinted(self, index: int, arrival: Arrival, says: Hinted) -> list[Addressed]:
        """Kept for each target that it may be about."""
        notice, everything = arrival.notice, self._book.read([one.name for one in self._ledger.services()])
        found = hinted(notice.source, says, everything)
        if not found:
            nobody = Answer("no_op", reason="nobody_waits", text=f"no service has a trigger for this {says.event}")
            return [Addressed(index, arrival, (notice.source, notice.key), None, nobody)]
        kept = replace(arrival, body=encode(says, notice.trace))
        return [
            Addressed(index, kept, (notice.source, f"{notice.key}#{target}"), target, TO_BE_READ, kept=True)
            for target in found
        ]

    def _targets(self, arrival: Arrival, entries: Mapping[str, Entry | None]) -> Sequence[TargetId] | Answer:
        return addressees(arrival.notice, entries, self._ledger, self._book)


def _starts(part: Addressed) -> str:
    """The service of which it may start a release, by the service's file; empty for what starts none."""
    starts = part.target is not None and isinstance(part.arrival.notice.says, ReleaseRequested | Again)
    return str(part.target).rpartition("@")[0] if starts else ""


def _each(index: int, asked: Sequence[tuple[Arrival, TargetId]]) -> list[Addressed]:
    """A row for each target; one alone has the delivery's own key."""
    many = len(asked) > 1
    found = []
    for arrival, target in asked:
        source, key = arrival.notice.source, arrival.notice.key
        found.append(Addressed(index, arrival, (source, f"{key}#{target}" if many else key), target))
    return found
