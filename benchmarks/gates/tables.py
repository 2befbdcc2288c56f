"""The tables: which settings, which judges, and what is demanded of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.gates import traffic
from benchmarks.gates.cell import Cell, judged
from benchmarks.gates.judges import ALPHA, ERRORS, JUDGES, MAIN, Judge, Ours
from benchmarks.gates.traffic import Setting
from benchmarks.say import Say

BASE = Setting()
RAMP = ((0.05, 10), (0.25, 10), (0.5, 10))
LEAKY = ((0.001, 1.0), (0.001, 10.0), (0.001, 50.0), (0.001, 200.0), (0.005, 10.0), (0.005, 200.0), (0.005, 1000.0),
         (0.02, 10.0))  # fmt: skip


@dataclass
class Table:
    """`rows` of cells as text; `cells` has each one's figures for the JSON."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    cells: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """What issue and design ask for, and whether it was found."""

    what: str
    found: str
    met: bool


@dataclass
class Report:
    runs: int
    say: Say
    tables: list[Table] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)

    def healthy(self, what: str, cell: Cell, most: float = ALPHA) -> None:
        """A row of healthy releases: not more than `most` of them are taken back."""
        self.demands.append(Demand(f"{what}: at most {100 * most:g} % rolled back", rate(cell), cell.within(most)))


def rate(cell: Cell) -> str:
    return f"{100 * cell.share:.3g} %"


def found(cell: Cell) -> str:
    """Share, and the median minutes of those that were found."""
    if not cell.minutes:
        return rate(cell)
    middle = sorted(cell.minutes)[(len(cell.minutes) - 1) // 2]
    return f"{rate(cell)}, {middle:.3g}"


def served(cell: Cell) -> str:
    """Share, mean bad requests until then, and the median minutes."""
    share, _, minutes = found(cell).partition(", ")
    return f"{share} ({cell.mean_bad:.0f}){f', {minutes}' if minutes else ''}"


def fill(
    report: Report, title: str, judges: Mapping[str, Judge], columns: Mapping[str, Setting], show: Callable[[Cell], str]
) -> Mapping[str, Mapping[str, Cell]]:
    """A table with a row for each judge and a column for each setting; its cells by column and judge."""
    cells: dict[str, Mapping[str, Cell]] = {}
    for name, setting in columns.items():
        report.say(f"{title}: {name}")
        cells[name] = judged(judges, setting, report.runs, f"{title}/{name}")
    table = Table(title, ("", *columns))
    for judge in judges:
        table.rows.append((judge, *(show(cells[name][judge]) for name in columns)))
    table.cells = {name: {judge: cell.plain() for judge, cell in row.items()} for name, row in cells.items()}
    report.tables.append(table)
    return cells


def everybody() -> Mapping[str, Judge]:
    return {name: make() for name, make in JUDGES.items()}


def thresholds(report: Report) -> None:
    """Healthy releases and regressions at the base setting, beside what peers do."""
    columns = {
        "healthy": BASE,
        "healthy, 2 requests/s, 10 %": replace(BASE, rps=2.0, stages=((0.1, 30),)),
        **{f"x{k:g}": replace(BASE, times=k) for k in (1.5, 2, 4, 10)},
    }
    title = "100 requests/s, 5 % to the candidate, 0.5 % errors, 30 min: share rolled back, median minutes"
    cells = fill(report, title, everybody(), columns, found)
    report.healthy("base setting", cells["healthy"][MAIN])
    report.healthy("base setting, first release", cells["healthy"]["ratio, first release"])
    report.healthy("2 requests/s", cells["healthy, 2 requests/s, 10 %"][MAIN])
    for k, most in ((4, 2.0), (10, 0.5)):
        middle = cells[f"x{k}"][MAIN].median
        report.demands.append(Demand(f"x{k} found in a median of {most:g} min", f"{middle:.3g} min", middle <= most))


def whole(report: Report) -> None:
    """Whole releases of three stages."""
    ramp = replace(BASE, stages=RAMP)
    columns = {
        "healthy": ramp,
        "incident of both, x10": replace(ramp, both=traffic.incident),
        **{f"x{k}": replace(ramp, times=k) for k in (2, 4, 10)},
        "healthy, 0.9 % errors": replace(ramp, errors=0.009),
        "x5 on 0.1 % errors": replace(ramp, errors=0.001, times=5),
        "x3 from minute 20": replace(ramp, own=traffic.late),
    }
    title = "5, 25, 50 % for 10 min each, 100 requests/s: share rolled back (mean bad requests), median minutes"
    cells = fill(report, title, everybody(), columns, served)
    report.healthy("whole release", cells["healthy"][MAIN])
    report.healthy("whole release, 0.9 % errors", cells["healthy, 0.9 % errors"][MAIN])
    report.healthy("incident that hits both", cells["incident of both, x10"][MAIN], 0.02)


def let_through(report: Report) -> None:
    """What the default finds and what it lets through, by traffic and error rate."""
    judges = {MAIN: Ours(ERRORS), "dispersion: 1": Ours({**ERRORS, "dispersion": 1})}
    title = "What the default lets through: 5, 25, 50 % for 10 min each"
    table = Table(title, ("errors, requests/s", "", "healthy", "x2", "x4", "x10"))
    for errors, rps in LEAKY:
        row = f"{100 * errors:g} %, {rps:g}"
        report.say(f"{title}: {row}")
        settings = {k: Setting(rps, errors, RAMP, float(k)) for k in (1, 2, 4, 10)}
        cells = {k: judged(judges, setting, report.runs, f"{title}/{row}/{k}") for k, setting in settings.items()}
        for judge in judges:
            table.rows.append((row, judge, rate(cells[1][judge]), *(served(cells[k][judge]) for k in (2, 4, 10))))
        table.cells[row] = {f"x{k}": {name: cell.plain() for name, cell in row.items()} for k, row in cells.items()}
        report.healthy(row, cells[1][MAIN])
        report.healthy(f"{row}, dispersion: 1", cells[1]["dispersion: 1"])
    report.tables.append(table)


def bursts(report: Report) -> None:
    """Errors that come in bursts: what the dispersion is for."""
    judges = {
        "dispersion: 1": Ours({**ERRORS, "dispersion": 1}),
        "dispersion: 2": Ours({**ERRORS, "dispersion": 2}),
        "ratio, first release": Ours(ERRORS, knows=False),
        MAIN: Ours(ERRORS),
    }
    columns = {
        "bursts of 5": replace(BASE, burst=5),
        "bursts of 5 on average": replace(BASE, mean_burst=5.0),
        "bursts of 20": replace(BASE, burst=20),
        "x4 in bursts of 5": replace(BASE, burst=5, times=4.0),
    }
    cells = fill(report, "Errors in bursts, base setting: share rolled back, median minutes", judges, columns, found)
    for name in ("bursts of 5", "bursts of 5 on average", "bursts of 20"):
        report.healthy(f"healthy, {name}", cells[name][MAIN])
    report.healthy("healthy, bursts of 5, first release", cells["bursts of 5"]["ratio, first release"])


def cold(report: Report) -> None:
    """A candidate that has four times the errors in its first two minutes and is healthy."""
    warm = Ours({**ERRORS, "warm_up": "3m"})
    columns = {
        "cold, then healthy": replace(BASE, own=traffic.cold),
        "x4": replace(BASE, times=4.0),
        "x10": replace(BASE, times=10.0),
        "every request fails": replace(BASE, times=200.0),
    }
    title = "Warm-up, base setting: share rolled back, median minutes"
    cells = fill(report, title, {MAIN: Ours(ERRORS), "warm_up: 3m": warm}, columns, found)
    report.healthy("cold start with warm_up: 3m", cells["cold, then healthy"]["warm_up: 3m"])


TABLES: Mapping[str, Callable[[Report], None]] = {
    "thresholds": thresholds, "whole": whole, "let-through": let_through, "bursts": bursts, "cold": cold,
}  # fmt: skip
__all__: Sequence[str] = ("TABLES", "Demand", "Report", "Table")
