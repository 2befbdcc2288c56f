"""What gates say beside their numbers, in clauses that stand after them."""

from collections.abc import Sequence

from delivery.gates.gate import State
from delivery.model.ids import HOUR, MINUTE

_FAR = 24 * HOUR


def joined(clauses: Sequence[str]) -> str:
    """One after the other, without empty ones."""
    return "; ".join(clause for clause in clauses if clause)


def missing(why: str, seen: bool) -> str:
    """Why there is nothing to judge. `why`: what was wrong with the last tick, nothing where it was whole."""
    return why or ("no complete measurement" if seen else "no requests of the candidate")


def above(objective: State, limit: float | None) -> str:
    """A rate that is above its objective."""
    rate = objective["x"] / max(1, objective["n"])
    return f"{100 * rate:.3g} % of {objective['n']}, at most {100 * (limit or 0):g} % wanted"


def outlook(done: float, spent: int) -> str:
    """When a PASS may be expected: evidence grows evenly as long as nothing changes. `done` is the share of it."""
    if not 0 < done < 1 or not spent:
        return ""
    left = spent * (1 / done - 1)
    return "" if left > _FAR else f"a pass takes about {max(1, round(left / MINUTE))} more min at this rate"
