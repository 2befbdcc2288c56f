"""Measurements as bytes. Every tick rewrites its row, so ticks are bare lists here and need no field names."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from delivery.adapters.ledger.sql.coding import Recent
from delivery.model.ids import Micros, ReleaseId
from delivery.model.verdict import Counts, Earlier, Tick, UnreadSide
from delivery.ports.rows import Measuring, Segment

Ticks = tuple[Tick, ...]
TICKS_KEPT = 16_384
NO_TICKS = b"[]"
_NONE: tuple[Ticks, bytes] = ((), NO_TICKS)


class Measured:
    """Keeps the ticks that it wrote or read last: mostly the same process takes a release's next tick."""

    def __init__(self) -> None:
        self._known: Recent[ReleaseId, tuple[Ticks, bytes]] = Recent(TICKS_KEPT)

    def values(self, measuring: Measuring) -> dict[str, Any]:
        return {
            "release": measuring.release,
            "tick": measuring.tick,
            "dseq": measuring.dseq,
            "evidence": measuring.evidence,
            "body": _finite(
                [
                    measuring.stage,
                    measuring.at,
                    measuring.baked,
                    measuring.requests,
                    measuring.first_tick,
                    measuring.base,
                    measuring.gates,
                    [_counts(counts) for counts in measuring.totals],
                ],
                measuring.gates,
            ),
            "ticks": self._written(measuring.release, measuring.ticks),
        }

    def _written(self, release: ReleaseId, ticks: Ticks) -> bytes:
        """The ticks as bytes: those that are known and one more, as a rule."""
        known, body = self._known.last(release, _NONE)
        if ticks and ticks[:-1] == known:
            comma = b"," if known else b""
            body = body[:-1] + comma + orjson.dumps(_tick(ticks[-1])) + b"]"
        else:
            body = _ticks(ticks)
        self._known.keep(release, (ticks, body))
        return body

    def read_ticks(self, release: ReleaseId, body: bytes) -> Ticks:
        known, same = self._known.last(release, _NONE)
        if same == body:
            return known
        ticks = ticks_from(body)
        self._known.keep(release, (ticks, body))
        return ticks

    def read(self, columns: Any) -> Measuring:
        release = ReleaseId(columns.release)
        stage, at, baked, requests, first_tick, base, gates, totals = orjson.loads(columns.body)
        return Measuring(
            release=release,
            stage=stage,
            dseq=columns.dseq,
            tick=columns.tick,
            at=Micros(at),
            baked=Micros(baked),
            requests=requests,
            first_tick=first_tick,
            base=base,
            gates=gates,
            ticks=self.read_ticks(release, columns.ticks),
            evidence=columns.evidence,
            totals=(_counts_from(totals[0]), _counts_from(totals[1])),
        )


def _finite(values: list[object], gates: Mapping[str, object]) -> bytes:
    """Raises ValueError where a gate's state has a number that JSON does not have: orjson would write null."""
    if not _is_finite(gates):
        raise ValueError("a gate's state has a number that is not finite")
    return orjson.dumps(values)


def _is_finite(value: Any) -> bool:
    if type(value) is list and value and type(value[0]) is float:
        try:
            return math.isfinite(sum(value))  # as a rule all are numbers, and one that is not finite shows in the sum
        except TypeError:
            pass
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if (kind is float and not math.isfinite(item)) or (kind in (dict, list, tuple) and not _is_finite(item)):
            return False
    return True


def segment_values(segment: Segment) -> dict[str, Any]:
    return {
        "release": segment.release,
        "first": segment.first,
        "hash": segment.hash,
        "ticks": _ticks(segment.ticks),
    }


def ticks_from(body: bytes) -> Ticks:
    return tuple(map(_tick_from, orjson.loads(body)))


def _ticks(ticks: Ticks) -> bytes:
    return orjson.dumps([_tick(tick) for tick in ticks])  # whole numbers only, so nothing that orjson would change


def _tick(tick: Tick) -> list[object]:
    sides = _counts(tick.candidate), _counts(tick.stable)
    unread = [[one.side, one.why, one.text] for one in tick.unread] if tick.unread else None
    earlier = [_counts(tick.earlier.counts), tick.earlier.end] if tick.earlier else None
    return [
        tick.number,
        tick.stage,
        tick.dseq,
        tick.start,
        tick.end,
        *sides,
        tick.complete,
        *_told(tick.stable_down, unread, earlier, _counts(tick.copy) if tick.copy is not None else None),
    ]


def _tick_from(values: list[Any]) -> Tick:
    down, unread, before, copy = (*values[8:], None, None, None, None)[:4]
    number, stage, dseq, start, end, candidate, stable, complete = values[:8]
    missing = tuple(UnreadSide(*one) for one in unread) if unread else None
    earlier = Earlier(_counts_from(before[0]), before[1]) if before else None
    sides = _counts_from(candidate), _counts_from(stable)
    beside = _counts_from(copy) if copy is not None else None
    return Tick(number, stage, dseq, start, end, *sides, complete, down, missing, earlier, beside)


def _told(*rare: object) -> list[object]:
    """What there is only now and then; nothing of it after the last that is there."""
    last = max((place for place, one in enumerate(rare, start=1) if one is not None), default=0)
    return list(rare[:last])


def _counts(counts: Counts) -> list[object]:
    rare = (one or None for one in (counts.sources, counts.rates, counts.gauges, counts.lacks))
    return [counts.requests, counts.errors, counts.slow, *_told(*rare)]


def _counts_from(values: list[Any]) -> Counts:
    requests, errors, slow, *rare = values
    return Counts(requests, errors, _pairs(slow), *(_pairs(pairs) if pairs is not None else None for pairs in rare))


def _pairs(values: list[list[Any]]) -> tuple[Any, ...]:
    return tuple(map(tuple, values))
