"""A traffic policy, faults and tokens in words."""

from delivery.model.policy import CircuitBreaker, Fault, Jwt, Retries, TrafficPolicy
from delivery.model.scalars import show_duration as duration
from delivery.wording.units import counted, listed, number, percent


def limits(policy: TrafficPolicy) -> str:
    """`a timeout of 2s, 1 retry (500ms for each try) and at most 100 requests per 1s and proxy`."""
    parts = [f"a timeout of {duration(policy.timeout)}"] if policy.timeout else []
    parts += [_retries(policy.retries)] if policy.retries else []
    parts += _breaker(policy.circuit_breaker) if policy.circuit_breaker else []
    if policy.rate_limit:
        limit = policy.rate_limit
        parts.append(f"at most {counted(limit.requests, 'request')} per {duration(limit.per)} and proxy")
    if policy.load_balancing:
        parts.append(f"{policy.load_balancing.replace('_', ' ')} balancing")
    return listed(parts)


def _retries(retries: Retries) -> str:
    each = f" ({duration(retries.per_try_timeout)} for each try)" if retries.per_try_timeout else ""
    times = {0: "no retries", 1: "1 retry"}.get(retries.attempts, f"{number(retries.attempts)} retries")
    return f"{times}{each}"


def _breaker(breaker: CircuitBreaker) -> list[str]:
    parts = [f"at most {counted(breaker.max_requests, 'request')} at once"] if breaker.max_requests else []
    if breaker.consecutive_5xx:
        after = counted(breaker.consecutive_5xx, "error")
        parts.append(f"endpoints left out for {duration(breaker.ejection)} after {after} in a row")
    return parts


def fault(fault: Fault) -> str:
    """`50 % of them late by 300ms and 10 % of them answered 503 by the proxy`."""
    parts = [f"{percent(fault.delay_percent)} of them late by {duration(fault.delay)}"] if fault.delay else []
    if fault.abort is not None:
        parts.append(f"{percent(fault.abort_percent)} of them answered {fault.abort} by the proxy")
    return listed(parts)


def bearer(jwt: Jwt) -> str:
    """`a token of https://id.example.org for delivery`."""
    audiences = f" for {listed(list(jwt.audiences), 'or')}" if jwt.audiences else ""
    return f"a token of {jwt.issuer}{audiences}"
