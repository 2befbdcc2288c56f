"""Ticks summed up in a bounded size."""

from delivery.model.ids import Micros
from delivery.model.shares import MOST, Shares, Span
from delivery.model.verdict import Counts, Tick


def tick(number: int, stage: int = 0, copy: int | None = None) -> Tick:
    start, end = Micros(10 * number), Micros(10 * number + 10)
    beside = Counts(copy, 0) if copy is not None else None
    return Tick(number, stage, 1, start, end, Counts(number, 0), Counts(100, 0), True, copy=beside)


def test_few_ticks_are_a_span_each() -> None:
    shares = Shares().then([tick(1), tick(2, stage=1, copy=7)])
    assert shares.stages == {0: (1, 101), 1: (2, 109)}
    assert shares.spans == (Span(Micros(10), Micros(20), 1, 101), Span(Micros(20), Micros(30), 2, 109))


def test_however_many_ticks_there_are_the_spans_are_few_and_lose_nothing() -> None:
    shares, every = Shares(), [tick(number) for number in range(1, 1001)]
    for number, one in enumerate(every, 1):
        shares = shares.then([one])
        assert min(number, MOST // 2) <= len(shares.spans) <= MOST
        assert sum(span.candidate for span in shares.spans) == number * (number + 1) // 2
        assert [span.end for span in shares.spans[:-1]] == [span.start for span in shares.spans[1:]]
        assert (shares.spans[0].start, shares.spans[-1].end) == (10, 10 * number + 10)
    assert shares == Shares().then(every)
    assert shares.width == 16
