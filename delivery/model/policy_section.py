"""The section `traffic_policy`, as a service file has it for all of its strategies or for one."""

from delivery.model.fields import Fields
from delivery.model.ids import HOUR, MINUTE, SECOND, Micros
from delivery.model.policy import EJECTION, Balance, CircuitBreaker, RateLimit, Retries, TrafficPolicy
from delivery.model.scalars import duration

_TIME = duration(Micros(10_000), HOUR)
_SPAN = duration(Micros(50_000), HOUR)  # Envoy fills no bucket more often


def read_policy(section: Fields) -> TrafficPolicy | None:
    """The policy, None for an empty section; mistakes stay in it."""
    policy = TrafficPolicy(
        timeout=section.get("timeout", _TIME, None),
        retries=_retries(section),
        circuit_breaker=_breaker(section),
        rate_limit=_limit(section),
        load_balancing=section.choice("load_balancing", Balance, None),
    )
    per_try = policy.retries.per_try_timeout if policy.retries else None
    if per_try and policy.timeout and per_try >= policy.timeout:
        section.sub("retries").wrong("per_try_timeout", "leaves no time for another try", "less than timeout")
    return None if policy == TrafficPolicy() else policy


def _retries(section: Fields) -> Retries | None:
    if "retries" not in section:
        return None
    fields = section.sub("retries")
    return Retries(fields.whole("attempts", low=0, high=10), fields.get("per_try_timeout", _TIME, None))


def _breaker(section: Fields) -> CircuitBreaker | None:
    if "circuit_breaker" not in section:
        return None
    fields = section.sub("circuit_breaker")
    breaker = CircuitBreaker(
        max_requests=fields.whole("max_requests", None, low=1, high=1_000_000),
        consecutive_5xx=fields.whole("consecutive_5xx", None, low=1, high=1000),
        ejection=fields.get("ejection", duration(SECOND, Micros(5 * MINUTE)), EJECTION),
    )
    if breaker.max_requests is None and breaker.consecutive_5xx is None:
        section.wrong("circuit_breaker", "has nothing that opens it", "max_requests or consecutive_5xx")
    elif "ejection" in fields and breaker.consecutive_5xx is None:
        fields.wrong("ejection", "is how long an endpoint that errs is left out", "consecutive_5xx beside it")
    return breaker


def _limit(section: Fields) -> RateLimit | None:
    if "rate_limit" not in section:
        return None
    fields = section.sub("rate_limit")
    return RateLimit(fields.whole("requests", low=1, high=1_000_000), fields.get("per", _SPAN))
