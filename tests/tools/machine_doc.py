"""Renders docs/machine.md from the code: `python -m tests.tools.machine_doc`. A test sees that it is fresh."""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path

from delivery.machine.holds import HOLDS, OWN_LIMIT, Lifts
from delivery.machine.rules.common import Events, ignore
from delivery.machine.step import AUTOMATIC
from delivery.machine.table import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "machine.md"
HEAD = """# The machine

What each signal means for a release, in each of its phases. `delivery/machine/table.py` is this table as code; this
page is rendered from it (`python -m tests.tools.machine_doc`). A step takes the surroundings into the record first
(freeze, stop, approvals that are waited for), then the rule of the table, then the automatic rules until none of them
has anything to say. It is pure: the same release, signal and context give the same events, always.

Only four events desire other traffic: StageEntered, PromotionBegun, HomeEntered and RollbackBegun. Their number is the
`dseq` that every confirmation, measurement and vote must name.
"""
WAY = """## The way of a release

    queued -> preparing -> shifting -> baking -> (next stage: shifting -> baking ...) -> promoting -> promoted
                  |            |          |                                                |
                  +------------+----------+------------------------------------------------+
                                          |
                                    rolling_back -> rolled_back, withdrawn, cancelled, superseded, failed_to_start

- **preparing**: the candidate is made ready. **shifting**: the stage's traffic is written, not yet proven at the
  proxies. **baking**: proven; being measured. A stage that has passed goes on being measured while something holds the
  next one, and a gate that fails still takes it back.
- A way up needs the set of holds empty, a candidate that is ready, and the approvals that guard it. A way back needs
  nothing and looks at nothing.
- Going back while stable is known to have no ready instance, users stay where they are until it has one (or somebody
  aborts a second time), and people are called.
- Where a service's owners keep a workload of their own (`clone`), stable is in it, at home, and the candidate in our
  copy. Promoting then has three parts. The copy gets every request, and that is proven. HomeBegun is stored; only then
  the owners' workload is made to run the candidate. HomeEntered sends every request there, and once that is proven the
  release is promoted and the copy goes. Until then every way back is open: traffic goes home at once, and the owners'
  workload is made to run stable again, which the release waits for.
- What runs at home is looked up when a release starts: its owners may have changed it, and what they run is stable.
- What somebody else rolls out in place (`observe`) is only measured: one stage, no write, no way back. It ends promoted
  where nothing speaks against it, else withdrawn, and people are called to roll it back.
- In a cluster the candidate is sized for what it is about to get, before every raise, also before one that a person
  asks for.
- The first version of a service goes to 100 percent when it is ready. So does the rollback of a finished release, which
  no freeze, stop, approval or unready stable holds.
"""
LIFTS = {
    Lifts.ANYONE: "yes",
    Lifts.WITH_REASON: "with a reason",
    Lifts.ADMIN: "by an admin",
    Lifts.NOBODY: "no",
}


def render() -> str:
    """The page."""
    rules = {rule for row in ROWS for rule in row[1:]}
    return "\n".join(
        (
            HEAD,
            WAY,
            "## Signals and phases",
            "",
            "An empty cell: the signal is ignored there. The six closed phases are alike.",
            "",
            *_signals(),
            "",
            "## Rules",
            "",
            *_glossary(rules - {ignore}),
            "",
            "## Automatic rules",
            "",
            "In this order; the first that has events goes, then all again.",
            "",
            *_glossary(AUTOMATIC, ordered=True),
            "",
            "## Holds",
            "",
            "One set: while any is there, nothing rises. `resume` lifts exactly those that it names.",
            "",
            *_holds(),
            "",
        )
    )


def _signals() -> Iterable[str]:
    names = ("signal", "queued", "preparing", "shifting", "baking", "promoting", "rolling back", "closed")
    yield _line(names)
    yield _line(["---"] * len(names))
    for signal, *rules in ROWS:
        yield _line((signal.__name__, *("" if rule is ignore else rule.__name__ for rule in rules)))


def _glossary(rules: Iterable[Callable[..., Events]], *, ordered: bool = False) -> Iterable[str]:
    listed = list(rules) if ordered else sorted(rules, key=lambda rule: (rule.__module__, rule.__name__))
    for rule in listed:
        said = " ".join((inspect.getdoc(rule) or "").split())
        yield f"- **{rule.__name__}** ({rule.__module__.rpartition('.')[2]}): {said}"


def _holds() -> Iterable[str]:
    yield _line(("hold", "ends with", "`resume`", "stops the deadline", "calls people"))
    yield _line(["---"] * 5)
    for kind, rule in HOLDS.items():
        stops = "own limit" if kind in OWN_LIMIT else "yes" if rule.stops else "no"
        calls = "at its limit" if kind in OWN_LIMIT else "yes" if rule.calls else "no"
        yield _line((kind.value, rule.ends, LIFTS[rule.lifts], stops, calls))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
