"""Measurements as bytes. Every tick rewrites its row, so ticks are bare lists here and need no field names."""

from typing import Any

from delivery.adapters.ledger.sql.coding import packed, plain
from delivery.model.ids import Micros, ReleaseId
from delivery.model.verdict import Counts, Tick
from delivery.ports.ledger import Measuring, Segment


def measuring_values(measuring: Measuring) -> dict[str, Any]:
    return {
        "release": measuring.release,
        "tick": measuring.tick,
        "dseq": measuring.dseq,
        "evidence": measuring.evidence,
        "body": packed(
            [
                measuring.stage,
                measuring.at,
                measuring.baked,
                measuring.requests,
                measuring.first_tick,
                measuring.base,
                measuring.gates,
                [_tick(tick) for tick in measuring.ticks],
                [_counts(counts) for counts in measuring.totals],
            ]
        ),
    }


def measuring_from(columns: Any) -> Measuring:
    stage, at, baked, requests, first_tick, base, gates, ticks, totals = plain(columns.body)
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
        ticks=tuple(_tick_from(tick) for tick in ticks),
        evidence=columns.evidence,
        totals=(_counts_from(totals[0]), _counts_from(totals[1])),
    )


def segment_values(segment: Segment) -> dict[str, Any]:
    body = packed([_tick(tick) for tick in segment.ticks])
    return {"release": segment.release, "first": segment.first, "hash": segment.hash, "body": body}


def ticks_from(body: bytes) -> tuple[Tick, ...]:
    return tuple(_tick_from(tick) for tick in plain(body))


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
    return Counts(requests, errors, tuple((bound, number) for bound, number in slow))
