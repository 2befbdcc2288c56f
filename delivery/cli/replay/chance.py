"""Chance, and what it says: draws from a seeded generator, and the interval around a share. Pure."""

import math
from random import Random


def binomial(rng: Random, n: int, p: float) -> int:
    """How many of n happen. Exact for few, normal for many."""
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    spread = n * p * (1 - p)
    if n <= 64 or spread < 9:
        return sum(rng.random() < p for _ in range(n)) if n <= 4096 else min(n, poisson(rng, n * p))
    return min(n, max(0, round(rng.gauss(n * p, math.sqrt(spread)))))


def poisson(rng: Random, mean: float) -> int:
    if mean <= 0:
        return 0
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % (Wilson 1927, JASA 22)."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, z * z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
