"""What was measured as Markdown, as JSON and as a plot. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.figure import show
from benchmarks.load.lifetime import Moment
from benchmarks.load.measure import Intake, Row
from benchmarks.load.plot import growth

LATE, MEMORY = 1.0, 1024.0
"""What is aimed at: seconds of lateness at p99, MiB of all our processes."""


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured. `quick`: in small, so that no goal is held against it."""

    growth: Sequence[Row]
    workers: Sequence[Row]
    intake: Sequence[tuple[Row, Intake]]
    ceiling: Sequence[Row]
    lives: Sequence[Moment]
    quick: bool = False


def tables(found: Found) -> str:
    """The tables, each below its heading."""
    rows = [*found.growth, *found.workers, *found.ceiling]
    goals = "in small: no figures" if found.quick else f"goal: late p99 at most {LATE:g} s, at most {MEMORY:.0f} MiB"
    return "\n\n".join(
        [
            f"### Releases at once ({goals})",
            _load(rows, goals=not found.quick),
            "### The same against the first row",
            _ratios(rows),
            "### Webhooks beside them",
            _load([row for row, _ in found.intake], goals=not found.quick),
            _intake(found.intake),
            "### One release's life, counted",
            _lives(found.lives),
            "",
        ]
    )


def document(around: dict[str, Any], found: Found) -> str:
    """All values, with the circumstances."""
    return json.dumps({**around, **asdict(found)}, indent=1) + "\n"


def drawn(found: Found) -> str:
    """What a tick costs by the number of releases, with one worker."""
    ours = [(row.releases, row.ours) for row in found.growth]
    theirs = [(row.releases, row.postgres) for row in found.growth]
    lines = (("one worker", ours), ("PostgreSQL", theirs))
    return growth(lines, "CPU of a tick by the number of releases", "microseconds of CPU a tick")


def _load(rows: Sequence[Row], *, goals: bool) -> str:
    head = (
        "releases", "workers", "ticks/s wanted", "done", "late p50", "p99", "worst", "CPU of a tick, ours",
        "PostgreSQL's", "cores in all", "memory, PSS", "RSS", "",
    )  # fmt: skip
    return _table(head, ([*_cells(row), _met(row) if goals else ""] for row in rows))


def _cells(row: Row) -> list[str]:
    late = (f"{value:.3f} s" for value in (row.p50, row.p99, row.worst))
    return [
        _whole(row.releases), str(row.workers), show(row.wanted), show(row.ticks), *late, f"{row.ours:.0f} us",
        f"{row.postgres:.0f} us", f"{row.cores:.2f}", f"{row.pss:.0f} MiB", f"{row.rss:.0f} MiB",
    ]  # fmt: skip


def _whole(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _met(row: Row) -> str:
    missed = [name for name, over in (("late", row.p99 > LATE), ("memory", row.pss > MEMORY)) if over]
    return f"**missed**: {', '.join(missed)}" if missed else "met"


def _ratios(rows: Sequence[Row]) -> str:
    first = rows[0]
    return _table(
        ("releases", "workers", "ticks/s", "CPU of a tick, ours", "PostgreSQL's", "memory"),
        (
            [_whole(row.releases), str(row.workers)]
            + [
                (f"{one / other:.2f}" if other else "")
                for one, other in (
                    (row.ticks, first.ticks), (row.ours, first.ours), (row.postgres, first.postgres),
                    (row.pss, first.pss),
                )
            ]
            for row in rows
        ),
    )  # fmt: skip


def _intake(found: Sequence[tuple[Row, Intake]]) -> str:
    head = (
        "webhooks/s offered",
        "answered",
        "not with 202",
        "after p50",
        "p99",
        "CPU of the API, each",
        "cores of the sender",
    )
    return _table(
        head,
        (
            [
                show(one.offered), show(one.answered), str(one.refused), f"{one.p50:.0f} ms", f"{one.p99:.0f} ms",
                f"{one.api_us:.0f} us", f"{one.sender_cores:.2f}",
            ]
            for _, one in found
        ),
    )  # fmt: skip


def _lives(found: Sequence[Moment]) -> str:
    head = ("moment", "releases together", "SQL statements", "transactions", "mesh", "workloads", "metrics", "")
    return _table(
        head,
        (
            [one.name, *(str(count) for count in (one.releases, one.statements, one.transactions)),
             str(one.mesh), str(one.workloads), str(one.metrics), one.note]
            for one in found
        ),
    )  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---|" + "--:|" * (len(head) - 2) + "---|", *lines[1:]])
