"""What istiod counts of its pushes, read from its /metrics. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LINE = re.compile(
    r"^(pilot_total_xds_rejects|pilot_proxy_convergence_time_bucket)(?:\{([^}]*)\})? (\S+)", re.MULTILINE
)
_BOUND = re.compile(r'le="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Told:
    """`rejects`: configurations that proxies have refused so far. `p99`: seconds from a change to the proxy."""

    rejects: float
    p99: float


def total(texts: Iterable[str]) -> Told:
    """Of all replicas together."""
    rejects, buckets = 0.0, defaultdict[float, float](float)
    for text in texts:
        for name, labels, value in _LINE.findall(text):
            if name == "pilot_total_xds_rejects":
                rejects += float(value)
            elif bound := _BOUND.search(labels):
                buckets[float(bound[1])] += float(value)
    return Told(rejects, _quantile(buckets, 0.99))


def _quantile(buckets: Mapping[float, float], share: float) -> float:
    """The bound below which this share was; the last finite one where it was above all."""
    finite = [bound for bound in sorted(buckets) if bound != float("inf")]
    wanted = share * max(buckets.values(), default=0)
    return next((bound for bound in finite if buckets[bound] >= wanted), finite[-1] if finite else 0.0)
