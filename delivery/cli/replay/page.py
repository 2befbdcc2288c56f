"""The report as one file: styles and plots inside, light and dark, nothing loaded and no script. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from typing import Any

from delivery.cli.replay.plots import Bar, bars, columns, line
from delivery.cli.replay.report import gate_says, minutes, share, text

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #6a6f76; --paper: #fff; --rule: #d9dce0; --good: #2f6fb0;
  --bad: #b3352f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --dim: #9aa0a6; --paper: #17191c; --rule: #35393f;
  --good: #6ea8de; --bad: #e57f78; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 760px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.dim, td.dim { color: var(--dim); }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
svg { width: 100%; height: auto; display: block; } svg text { font: 12px system-ui, sans-serif; fill: var(--dim); }
.axis { stroke: var(--rule); } .line { fill: none; stroke: var(--good); stroke-width: 1.5; }
.good { fill: var(--good); } .bad { fill: var(--bad); } .whisker { stroke: var(--ink); stroke-width: 1.5; }
.budget { stroke: var(--ink); stroke-dasharray: 3 2; }
strong.bad { color: var(--bad); }
"""


def html(told: Mapping[str, Any]) -> str:
    """The whole page."""
    title = f"Gates of {told['service']}, replayed"
    body = "\n".join(_body(told))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n"
        "</body></html>\n"
    )


def _body(told: Mapping[str, Any]) -> Iterator[str]:
    lines = list(text(told))
    head, rest = lines[: lines.index("")], lines[lines.index("") + 1 :]
    yield "".join(f"<p>{escape(one)}</p>" for one in head)
    yield "<h2>Healthy releases that would have been rolled back</h2>"
    yield f'<p class="dim">{escape(rest[0])}. Whiskers: 95 % interval. Dashed: the gate\'s budget.</p>'
    yield bars([_bar(gate) for gate in told["gates"]], "False rollbacks of each gate against its budget")
    yield "<h2>What each gate finds, and when</h2>"
    yield f'<div class="wide">{_table(told)}</div>'
    for one in rest[rest.index("") + 1 :]:
        kind = ' class="bad"' if "rolls back more" in one else ""
        yield f"<p><strong{kind}>{escape(one)}</strong></p>" if kind else f"<p>{escape(one)}</p>"
    yield from _history(told)
    for one in told["nature"]:
        yield f"<h2>{escape(one['of'].capitalize())}: do they come in bursts?</h2>"
        yield (
            f'<p class="dim">Dispersion {one["dispersion"]:.2g}: 1 is independent. How far deviations in one tick'
            " go along with those of the ticks after it.</p>"
        )
        yield columns(one["autocorrelation"], f"Autocorrelation of {one['of']}", "ticks apart")


def _history(told: Mapping[str, Any]) -> Iterator[str]:
    points = told["history"]
    if len(points) < 2:
        return
    at = [datetime.fromisoformat(one["at"]).timestamp() for one in points]
    ends = (points[0]["at"][:16], points[-1]["at"][:16])
    yield "<h2>The past that was replayed</h2>"
    yield '<p class="dim">Share of requests that failed</p>'
    yield line(
        [(when, 100 * one["errors"]) for when, one in zip(at, points, strict=True)], "Share of errors", ends, " %"
    )
    yield '<p class="dim">Requests a second</p>'
    yield line([(when, one["rps"]) for when, one in zip(at, points, strict=True)], "Requests a second", ends, "")


def _bar(gate: Mapping[str, Any]) -> Bar:
    wrong = gate["false_rollbacks"]
    low, high = wrong["interval"]
    name = f"{gate['gate']} (today)" if gate["today"] else gate["gate"]
    return Bar(name, wrong["rate"], low, high, gate["budget"], gate["verdict"] == "over")


def _table(told: Mapping[str, Any]) -> str:
    sizes = [one["times"] for one in told["gates"][0]["regressions"]] if told["gates"] else []
    head = "".join(f"<th>x{times:g}</th>" for times in sizes)
    rows = []
    for gate in told["gates"]:
        found = "".join(
            f"<td>{100 * one['power']:.0f} %, {minutes(one['median_minutes'])}</td>" for one in gate["regressions"]
        )
        says = escape(gate_says(gate))
        standing = f'<strong class="bad">{says}</strong>' if gate["refused"] else says
        name = f"{gate['gate']} (today)" if gate["today"] else gate["gate"]
        wrong = share(gate["false_rollbacks"]["rate"])
        rows.append(f"<tr><td>{escape(name)}</td><td>{wrong}</td>{found}<td>{standing}</td></tr>")
    return f"<table><tr><th>gate</th><th>false</th>{head}<th></th></tr>{''.join(rows)}</table>"
