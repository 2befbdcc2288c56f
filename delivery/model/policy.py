"""Limits on what the candidate gets: how long, how often, how much. Stable keeps what its owners gave it.

Nothing of it is about stable, and nothing of it outlives the release: once promoted, the candidate is without it.
"""

from dataclasses import dataclass
from enum import StrEnum

from delivery.model.ids import SECOND, Micros

EJECTION = Micros(30 * SECOND)


class Balance(StrEnum):
    """How a version's endpoints are chosen."""

    ROUND_ROBIN = "round_robin"
    LEAST_REQUEST = "least_request"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Retries:
    """`attempts` come after the first, where a proxy could not reach the version or it answered 502, 503 or 504."""

    attempts: int
    per_try_timeout: Micros | None = None


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Beyond `max_requests` at once a proxy answers 503 itself. An endpoint that answers `consecutive_5xx` errors in a
    row gets nothing for `ejection`, and longer each time that it happens again.
    """

    max_requests: int | None = None
    consecutive_5xx: int | None = None
    ejection: Micros = EJECTION


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Beyond `requests` in each span of `per` a proxy answers 429 itself. Each proxy counts for itself."""

    requests: int
    per: Micros


@dataclass(frozen=True, slots=True)
class TrafficPolicy:
    """None: as the mesh has it."""

    timeout: Micros | None = None
    retries: Retries | None = None
    circuit_breaker: CircuitBreaker | None = None
    rate_limit: RateLimit | None = None
    load_balancing: Balance | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What a proxy does to a share of requests by itself, in whole percents: wait `delay`, answer status `abort`."""

    delay: Micros | None = None
    delay_percent: int = 100
    abort: int | None = None
    abort_percent: int = 100


@dataclass(frozen=True, slots=True)
class Jwt:
    """A token that a request has to bear: of this issuer, signed by a key of `jwks` (RFC 7517, the JSON text), for any
    of the audiences where some are named.
    """

    issuer: str
    jwks: str
    audiences: tuple[str, ...] = ()
