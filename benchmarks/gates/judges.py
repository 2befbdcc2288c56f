"""Who judges: our gates, and what peers do, each over whole releases.

The peers' rules are theirs in kind and not in code. Argo Rollouts and Flagger: a success rate of 99 percent over a
minute, without a minimum sample; more breaches than the failure limit fail, and none is forgotten. Kayenta: every five
minutes the error rates of all minutes so far are compared by Mann and Whitney's interval, at 98 percent, with its
tolerance of a quarter, and a candidate that is better fails as well (its default). PipeCD: the same test of the last
five minutes alone, at 95 percent, worse only. And a z-test at every look.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.stats import mannwhitneyu, norm

from benchmarks.gates.traffic import MINUTES, Served, Setting, generator, play
from delivery.gates import latency, ratio, threshold
from delivery.gates.gate import Gate, Kind, State
from delivery.gates.replay import replay
from delivery.model.fields import Fields
from delivery.model.ids import GateId
from delivery.model.plan import GateSpec

ALPHA = 0.05
KINDS: Mapping[str, Kind] = {"ratio": ratio, "latency": latency, "threshold": threshold}


class Judge(Protocol):
    """Told of a release, it says at which look (from 1) it takes it back; None where it lets it through."""

    def __call__(self, served: Served, setting: Setting) -> int | None: ...


@dataclass
class Ours:
    """One of our gates. `knows`: the service released before, so that its gate learned how bursty errors are."""

    words: Mapping[str, object]
    knows: bool = True
    _gates: dict[int, Gate] = field(default_factory=dict)
    _before: dict[object, State] = field(default_factory=dict)

    def __call__(self, served: Served, setting: Setting) -> int | None:
        gate = self._gate(len(setting.stages))
        found = replay(gate, served.ticks(), self._known(gate, setting) if self.knows else None)
        return found.ticks if found.failed else None

    def _gate(self, stages: int) -> Gate:
        if stages not in self._gates:
            self._gates[stages] = gate(self.words, stages)
        return self._gates[stages]

    def _known(self, gate: Gate, setting: Setting) -> State:
        """Where the gate ended in a healthy release of this service."""
        key = (setting.rps, setting.errors, setting.stages, setting.burst, setting.mean_burst)
        if key not in self._before:
            healthy = Setting(*key[:3], burst=setting.burst, mean_burst=setting.mean_burst)
            self._before[key] = replay(gate, play(healthy, generator("before", key)).ticks()).final
        return self._before[key]


def gate(words: Mapping[str, object], stages: int, alpha: float = ALPHA) -> Gate:
    """A gate from the words of a service file."""
    kind = next(name for name in KINDS if name in words)
    fields = Fields(words)
    spec = GateSpec(GateId("errors"), kind, KINDS[kind].parse(fields))
    fields.check()
    return KINDS[kind].build(spec, alpha, stages)


def minutes(limit: int) -> Judge:
    """A success rate of 99 percent in each minute; more breaches than `limit` fail."""

    def judge(served: Served, setting: Setting) -> int | None:
        x, n = (column.reshape(-1, MINUTES).sum(axis=1) for column in (served.x, served.n))
        breaches = np.cumsum((n > 0) & (x > 0.01 * n))
        return _first(breaches > limit, MINUTES)

    return judge


def every_look(served: Served, setting: Setting) -> int | None:
    """A one-sided z-test of all that was seen, at every look."""
    x, n, y, m = (np.cumsum(column) for column in (served.x, served.n, served.y, served.m))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (x + y) / (n + m)
        z = (x / n - y / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return _first(np.nan_to_num(z) > norm.ppf(1 - ALPHA), 1)


def kayenta(served: Served, setting: Setting) -> int | None:
    """98 percent, either direction, of all minutes so far."""
    for end, own, other in _rates(served, all_seen=True):
        low, high, middle = _shift(own, other, 0.98)
        if low > 0.25 * abs(middle) or high < -0.25 * abs(middle):
            return end
    return None


def pipecd(served: Served, setting: Setting) -> int | None:
    """95 percent, worse only, of the last five minutes."""
    for end, own, other in _rates(served, all_seen=False):
        if (
            np.ptp(np.concatenate([own, other]))
            and own.mean() > other.mean()
            and mannwhitneyu(own, other).pvalue < 0.05
        ):
            return end
    return None


def _rates(served: Served, *, all_seen: bool) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Every five minutes: the look, and both versions' error rates of each minute."""
    columns = (served.x, served.n, served.y, served.m)
    x, n, y, m = (column.reshape(-1, MINUTES).sum(axis=1) for column in columns)
    own, other = x / np.maximum(1, n), y / np.maximum(1, m)
    for end in range(5, len(own) + 1, 5):
        begin = 0 if all_seen else end - 5
        yield end * MINUTES, own[begin:end], other[begin:end]


def _shift(own: np.ndarray, other: np.ndarray, level: float) -> tuple[float, float, float]:
    """By how much the one is above the other: the interval of Mann and Whitney, and its middle."""
    differences, pairs = np.sort(np.subtract.outer(own, other), axis=None), len(own) * len(other)
    spread = norm.ppf((1 + level) / 2) * np.sqrt(pairs * (len(own) + len(other) + 1) / 12)
    out = max(0, int(pairs / 2 - spread) - 1)
    return float(differences[out]), float(differences[pairs - 1 - out]), float(np.median(differences))


def _first(found: np.ndarray, looks: int) -> int | None:
    return (int(np.argmax(found)) + 1) * looks if found.any() else None


ERRORS = {"ratio": "http_errors"}
MAIN = "ratio"
"""The gate as it is by default, for a service that released before."""
JUDGES: Mapping[str, Callable[[], Judge]] = {
    MAIN: lambda: Ours(ERRORS),
    "ratio, first release": lambda: Ours(ERRORS, knows=False),
    "our threshold, default": lambda: Ours({"threshold": "http_success_rate", "at_least": "99%"}),
    "99 % a minute, limit 0": lambda: minutes(0),
    "99 % a minute, limit 1": lambda: minutes(1),
    "99 % a minute, fifth breach": lambda: minutes(4),
    "Kayenta-like": lambda: kayenta,
    "PipeCD-like": lambda: pipecd,
    "z-test at every look": lambda: every_look,
}
