"""What a gate found, with the numbers that a person needs to believe it."""

import math

from delivery.model.verdict import Baseline, Judgement, Verdict
from delivery.wording.units import number, ratio

WORDS = {
    Verdict.PASS: "no worse",
    Verdict.FAIL: "worse",
    Verdict.CONTINUE: "no verdict yet",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NO_DATA: "no data",
}
_SHORT = {**WORDS, Verdict.PASS: "ok", Verdict.CONTINUE: "ok so far", Verdict.FAIL: "failed"}

_BRIEFLY = {
    None: "stable",
    Baseline.STABLE: "stable",
    Baseline.PREVIOUS: "stable before",
    Baseline.FRESH: "stable's copy",
}
_WHOSE = {
    None: "stable's",
    Baseline.STABLE: "stable's",
    Baseline.PREVIOUS: "what stable had before",
    Baseline.FRESH: "those of a copy of stable as young as it",
}


def finding(judgement: Judgement) -> str:
    """`errors 3.1 times stable's (2.2 to 4.4), 41 of 812 against 160 of 9 950`."""
    if judgement.verdict is Verdict.NO_DATA:
        return f"{judgement.gate}: no data" + (f" ({judgement.detail})" if judgement.detail else "")
    if not judgement.stable.total and judgement.detail and judgement.ratio is None:
        return f"{judgement.gate} {judgement.detail}"  # it says the numbers itself, in the gate's own terms
    text = f"{judgement.gate} {_times(judgement)}{_sides(judgement)}"
    return f"{text}; {judgement.detail}" if judgement.detail else text


def brief(judgement: Judgement) -> str:
    """`errors 1.02x stable (0.6-1.7) ok`: for a line that has to hold several."""
    if judgement.ratio is None or judgement.verdict is Verdict.NO_DATA:
        return f"{judgement.gate} {_SHORT[judgement.verdict]}"
    low, high = judgement.interval or (math.nan, math.nan)
    spread = f" ({ratio(low)}-{ratio(high)})" if judgement.interval else ""
    return (
        f"{judgement.gate} {ratio(judgement.ratio)}x {_BRIEFLY[judgement.baseline]}{spread} {_SHORT[judgement.verdict]}"
    )


def _times(judgement: Judgement) -> str:
    """How many times stable's. Where stable had nothing bad there is no ratio, only what it is at least."""
    low, high = judgement.interval or (0.0, math.inf)
    if not judgement.stable.total:
        return ""
    whose = _WHOSE[judgement.baseline]
    if judgement.ratio is None:
        return f"{ratio(low)} times {whose} or more, " if low > 0 else ""
    spread = f"{ratio(low)} to {ratio(high)}" if math.isfinite(high) else f"{ratio(low)} or more"
    return f"{ratio(judgement.ratio)} times {whose}{f' ({spread})' if judgement.interval else ''}, "


def _sides(judgement: Judgement) -> str:
    """Stable's side only where it had requests: at 100 percent there is nothing to compare with."""
    candidate, stable = judgement.candidate, judgement.stable
    text = f"{number(candidate.bad)} of {number(candidate.total)}"
    return f"{text} against {number(stable.bad)} of {number(stable.total)}" if stable.total else text
