"""Measurements as bytes. Every tick rewrites its row, so ticks are bare lists here and need no field names."""

import math
from typing import Any

import orjson

from delivery.adapters.ledger.sql.coding import Recent
from delivery.model.ids import Micros, ReleaseId
from delivery.model.verdict import Counts, Tick
from delivery.ports.ledger import Measuring, Segment

Ticks = tuple[Tick, ...]
TICKS_KEPT = 4096


class Measured:
    """Keeps the ticks that it wrote or read last: mostly the same process takes a release's next tick."""

    def __init__(self) -> None:
        self._decoded: Recent[bytes, Ticks] = Recent(TICKS_KEPT)

    def values(self, measuring: Measuring) -> dict[str, Any]:
        ticks = _ticks(measuring.ticks)
        self._decoded.get(ticks, lambda: measuring.ticks)
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
                ]
            ),
            "ticks": ticks,
        }

    def read(self, columns: Any) -> Measuring:
        stage, at, baked, requests, first_tick, base, gates, totals = orjson.loads(columns.body)
        return Measuring(
            release=ReleaseId(columns.release),
            stage=stage,
            dseq=columns.dseq,
            tick=columns.tick,
            at=Micros(at),
            baked=Micros(baked),
            requests=requests,
            first_tick=first_tick,
            base=base,
            gates=gates,
            ticks=self._decoded.get(columns.ticks, lambda: ticks_from(columns.ticks)),
            evidence=columns.evidence,
            totals=(_counts_from(totals[0]), _counts_from(totals[1])),
        )


def _finite(values: list[object]) -> bytes:
    """Raises ValueError for a number that JSON does not have, where orjson would write null."""
    if not _is_finite(values):
        raise ValueError("a measurement has a number that is not finite")
    return orjson.dumps(values)


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        try:
            return math.isfinite(sum(value))  # numbers, of which one that is not finite shows in the sum
        except TypeError:
            return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


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
    return [tick.number, tick.stage, tick.dseq, tick.start, tick.end, *sides, tick.complete]


def _tick_from(values: list[Any]) -> Tick:
    number, stage, dseq, start, end, candidate, stable, complete = values
    return Tick(number, stage, dseq, start, end, _counts_from(candidate), _counts_from(stable), complete)


def _counts(counts: Counts) -> list[object]:
    return [counts.requests, counts.errors, counts.slow]


def _counts_from(values: list[Any]) -> Counts:
    requests, errors, slow = values
    return Counts(requests, errors, tuple(map(tuple, slow)))
